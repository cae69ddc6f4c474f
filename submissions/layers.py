"""Look through one layer of an image: digest, size, forbidden entries, and files that somebody asks for."""

import io
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from submissions.archive import CHUNK, Entry, Kind, Source, Tap, Tar, TarError
from submissions.contract import Code
from submissions.gunzip import MAGIC, Gunzip, GzipError

_ZSTD = b"\x28\xb5\x2f\xfd"
_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_HOPS = 8


@dataclass(frozen=True)
class Problem:
    """Why a layer cannot be used; becomes a failure if the image needs the layer."""

    code: Code
    facts: dict[str, str]
    detail: str


@dataclass
class Layer:
    """What one layer turned out to be.

    Attributes:
        digest: of the bytes in the archive; diff_id: of the bytes unpacked (equal where uncompressed).
        unpacked: bytes once unpacked.
        removed: paths that the layer takes away from those below; emptied: folders that it empties.
        entries: path → None for a folder, "" for a file, the target for a symbolic link; only paths whose
            last part occurs in a path that is looked for.
    """

    digest: str = ""
    diff_id: str = ""
    unpacked: int = 0
    removed: list[str] = field(default_factory=list)
    emptied: list[str] = field(default_factory=list)
    entries: dict[str, str | None] = field(default_factory=dict)
    problem: Problem | None = None


@dataclass
class Budget:
    """What all layers together may still use; `unpack` and `enter` raise when it is spent."""

    unpack: Callable[[int], None]
    enter: Callable[[], None]
    notes: int = 5_000


def scan(stream: Source, look_for: Collection[str], budget: Budget) -> Layer:
    """Read one layer to its end.

    A damaged or forbidden layer is reported in `Layer.problem`; what `budget` raises passes through.
    """
    parts = {part for path in look_for for part in path.split("/") if part}
    layer = Layer()
    packed = inner = Tap(stream)
    buffered = io.BufferedReader(packed, CHUNK)
    head = buffered.peek(4)[:4]
    if head.startswith(_ZSTD):
        layer.problem = _unreadable("it is compressed with zstd")
        return layer
    if head.startswith(MAGIC):
        inner = Tap(Gunzip(buffered))
        buffered = io.BufferedReader(inner, CHUNK)
    budget.unpack(inner.count)
    inner.spend = budget.unpack
    try:
        _walk(Tar(buffered), layer, parts, budget)
    except (TarError, GzipError) as error:
        layer.problem = layer.problem or _unreadable(str(error))
    layer.digest, layer.diff_id = packed.digest, inner.digest
    layer.unpacked += inner.count
    return layer


def present(layers: Iterable[Layer], look_for: Collection[str]) -> frozenset[str]:
    """Which of the absolute paths `look_for` exist as files once the layers lie on one another.

    Symbolic links to folders are followed; a symbolic link in the place of the file counts as the file.
    """
    tree: dict[str, str | None] = {}
    for layer in layers:
        for path in layer.removed:
            _remove(tree, path, itself=True)
        for path in layer.emptied:
            _remove(tree, path, itself=False)
        for path, content in layer.entries.items():
            if content is not None:
                _remove(tree, path, itself=True)
            tree[path] = content
    return frozenset(path for path in look_for if _exists(tree, path))


def _unreadable(problem: str) -> Problem:
    return Problem(Code.ARCHIVE_LAYER_UNREADABLE, {"problem": problem}, problem)


def _walk(tar: Tar, layer: Layer, parts: Collection[str], budget: Budget) -> None:
    for entry in tar.entries():
        budget.enter()
        if entry.on_disk > entry.size:
            budget.unpack(entry.on_disk - entry.size)
            layer.unpacked += entry.on_disk - entry.size
        layer.problem = layer.problem or _forbidden(entry)
        if _note(entry, layer, parts):
            budget.notes -= 1
            if budget.notes < 0:
                raise TarError("the names of the entry scripts occur too often")
    tar.drain()


def _forbidden(entry: Entry) -> Problem | None:
    if entry.climbs or (entry.kind is Kind.HARD_LINK and ".." in entry.link.split("/")):
        path = ascii(entry.path)
        return Problem(Code.ARCHIVE_PATH_UNSAFE, {"entry": path}, f"{path} in a layer leads upwards")
    if entry.kind is Kind.DEVICE and not entry.path.startswith("dev/"):
        path = ascii(entry.path).strip("'\"")
        return Problem(Code.ARCHIVE_DEVICE_NODE, {"entry": path}, f"device node /{path}")
    return _unreadable(f"{entry.path!a} is of an unknown kind") if entry.kind is Kind.OTHER else None


def _note(entry: Entry, layer: Layer, parts: Collection[str]) -> bool:
    folder, _, name = entry.path.rpartition("/")
    if name == _OPAQUE and (not folder or folder.rpartition("/")[2] in parts):
        layer.emptied.append(folder)
    elif name.startswith(_WHITEOUT) and name[len(_WHITEOUT) :] in parts:
        layer.removed.append(f"{folder}/{name[len(_WHITEOUT) :]}".lstrip("/"))
    elif name in parts:
        layer.entries[entry.path] = _content(entry)
    else:
        return False
    return True


def _content(entry: Entry) -> str | None:
    match entry.kind:
        case Kind.FOLDER:
            return None
        case Kind.SYMLINK:
            return entry.link
        case _:
            return ""


def _remove(tree: dict[str, str | None], path: str, itself: bool) -> None:
    prefix = f"{path}/" if path else ""
    for known in [known for known in tree if known.startswith(prefix) or (itself and known == path)]:
        del tree[known]


def _exists(tree: dict[str, str | None], path: str) -> bool:
    for _ in range(_HOPS):
        steps = [part for part in path.split("/") if part]
        whole = "/".join(steps)
        linked = next((n for n in range(1, len(steps)) if tree.get("/".join(steps[:n]))), None)
        if linked is None:
            return tree.get(whole) is not None
        path = _followed(steps, linked, tree["/".join(steps[:linked])] or "")
    return False


def _followed(steps: list[str], linked: int, target: str) -> str:
    base = [] if target.startswith("/") else steps[: linked - 1]
    for part in target.split("/"):
        if part == "..":
            base = base[:-1]
        elif part not in ("", "."):
            base = [*base, part]
    return "/".join([*base, *steps[linked:]])
