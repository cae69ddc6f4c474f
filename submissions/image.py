"""Check the archive of a stranger's image before any engine sees it, and rewrite it so that it takes no name.

Layouts: what `docker save` writes since Docker 1.10, what Podman writes (docker-archive), and OCI archives.
The archive is read once, as a stream; what cannot be decided before its end (the manifest comes last) is kept
as a few facts a layer.
"""

import io
import json
import os
import shutil
import tarfile
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO

from submissions.archive import BLOCK, CHUNK, ArchiveLimits, Entry, Kind, Source, Tap, Tar, TarError, rejected
from submissions.contract import Code, size_text
from submissions.gunzip import MAGIC, Gunzip, GzipError
from submissions.layers import Budget, Layer, present, scan
from submissions.layout import Config, Content, Document, Parts, check_name, find_image, read_config

PLATFORM = "linux/amd64"
_OUTER_ENTRIES = 4096
_OUTER_SLACK = 64 << 20
_JSON_TOGETHER = 16 << 20
_PRELOADS = ("LD_PRELOAD", "LD_AUDIT")
_LEGACY = ("/json", "/VERSION")


@dataclass(frozen=True)
class ImageFacts:
    """What an accepted archive holds.

    Attributes:
        id: digest of the configuration, `sha256:…`; the image's id once loaded.
        architecture, os: as in the configuration.
        env: `NAME=value` each.
        entrypoint: cleared by the platform.
        volumes: absolute paths, each masked by the platform.
        layers: diff ids, the lowest first.
        unpacked_bytes: size of all layers unpacked.
        found: those of the paths looked for that exist as files.
        warnings: sentences for the participant.
    """

    id: str
    architecture: str
    os: str
    env: tuple[str, ...]
    entrypoint: tuple[str, ...]
    volumes: tuple[str, ...]
    layers: tuple[str, ...]
    unpacked_bytes: int
    found: frozenset[str]
    warnings: tuple[str, ...]


def inspect_archive(
    path: Path,
    limits: ArchiveLimits,
    platform: str = PLATFORM,
    look_for: Collection[str] = (),
    progress: Callable[[int], None] | None = None,
) -> ImageFacts:
    """Check an archive from end to end.

    Args:
        path: the archive, plain or gzip.
        limits: what it may hold.
        platform: the only acceptable `os/architecture`.
        look_for: absolute paths in the image, reported in `found`.
        progress: told the number of bytes of the file just read.

    Raises:
        ArchiveRejected: it is not acceptable; the exception says why.
    """
    if path.stat().st_size > limits.archive:
        raise rejected(Code.ARCHIVE_TOO_LARGE, limit=size_text(limits.archive))
    account = _Account(limits)
    budget = Budget(account.unpack, account.enter)
    content = _read(path, limits, lambda stream: scan(stream, look_for, budget), progress)
    parts = find_image(content, platform)
    config = read_config(content, parts.config)
    _check_config(config, platform, limits, look_for)
    layers = _checked_layers(content, parts, config)
    return ImageFacts(
        id=config.digest,
        architecture=config.platform.partition("/")[2],
        os=config.platform.partition("/")[0],
        env=config.env,
        entrypoint=config.entrypoint,
        volumes=config.volumes,
        layers=config.diff_ids,
        unpacked_bytes=sum(layer.unpacked for layer in layers),
        found=present(layers, look_for),
        warnings=tuple(_warnings(config)),
    )


def rewrite_without_tags(source: Path, target: Path, platform: str = PLATFORM) -> str:
    """Write the image of an archive that `inspect_archive` accepted as a plain docker-archive without names.

    The result holds the configuration, the layers (compressed ones stay so) and a manifest.json, and nothing
    else; loading it cannot take over another image's tag.

    Returns:
        The id of the image, as in `ImageFacts.id`.

    Raises:
        ArchiveRejected: the archive changed since it was inspected.
    """
    limits = ArchiveLimits(archive=source.stat().st_size, unpacked=1 << 62)
    content = _read(source, limits, lambda _: Layer(), seek=True)
    parts = find_image(content, platform)
    config = read_config(content, parts.config)
    data = content.documents[parts.config].data or b""
    files = [content.file(layer) for layer in parts.layers]
    names = dict(zip(files, [f"{diff_id[7:]}.tar" for diff_id in config.diff_ids], strict=True))
    own = f"{config.digest[7:]}.json"
    listed = [names[file] for file in files]
    manifest = json.dumps([{"Config": own, "RepoTags": None, "Layers": listed}]).encode()
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            _put(file, "manifest.json", io.BytesIO(manifest), len(manifest))
            _put(file, own, io.BytesIO(data), len(data))
            _copy_layers(source, limits, names, file)
            file.write(bytes(2 * BLOCK))
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return config.digest


class _Account:
    """Adds up what the layers hold; raises when it is too much."""

    def __init__(self, limits: ArchiveLimits) -> None:
        self._limits = limits
        self._unpacked = self._entries = 0

    def unpack(self, count: int) -> None:
        self._unpacked += count
        if self._unpacked > self._limits.unpacked:
            raise rejected(Code.ARCHIVE_UNPACKS_TOO_LARGE, limit=size_text(self._limits.unpacked))

    def enter(self) -> None:
        self._entries += 1
        if self._entries > self._limits.entries:
            raise rejected(Code.ARCHIVE_TOO_MANY_ENTRIES, limit=f"{self._limits.entries:,}")


def _read(
    path: Path,
    limits: ArchiveLimits,
    read_layer: Callable[[Source], Layer],
    progress: Callable[[int], None] | None = None,
    seek: bool = False,
) -> Content:
    content = Content()
    seen: set[str] = set()
    try:
        with _opened(path, limits, progress, seek) as tar:
            for entry in tar.entries():
                if entry.path in seen and entry.kind is not Kind.FOLDER:
                    raise rejected(Code.ARCHIVE_NAME_TWICE, entry.path, entry=ascii(entry.path))
                if len(seen) == _OUTER_ENTRIES:
                    raise rejected(Code.ARCHIVE_NO_IMAGE, f"more than {_OUTER_ENTRIES} entries")
                seen.add(entry.path)
                _take(entry, tar, content, limits, read_layer)
            tar.drain()
    except (TarError, GzipError) as error:
        raise rejected(Code.ARCHIVE_UNREADABLE, str(error)) from error
    return content


@contextmanager
def _opened(
    path: Path, limits: ArchiveLimits, progress: Callable[[int], None] | None = None, seek: bool = False
) -> Iterator[Tar]:
    with path.open("rb", buffering=0) as raw:
        metered = Tap(raw, hashing=False)
        metered.spend = progress
        file = io.BufferedReader(raw if seek else metered, CHUNK)
        if not file.peek(2).startswith(MAGIC):
            yield Tar(file, seek)
            return
        account = _Account(ArchiveLimits(limits.archive, limits.unpacked + _OUTER_SLACK))
        inflated = Tap(Gunzip(file), hashing=False)
        inflated.spend = account.unpack
        yield Tar(io.BufferedReader(inflated, CHUNK))


def _take(
    entry: Entry, tar: Tar, content: Content, limits: ArchiveLimits, read_layer: Callable[[Source], Layer]
) -> None:
    if entry.absolute or entry.climbs:
        raise rejected(Code.ARCHIVE_PATH_UNSAFE, entry.path, entry=ascii(entry.path))
    if entry.kind is Kind.SYMLINK:
        content.links[entry.path] = entry.link
    elif entry.kind is Kind.FILE:
        if not entry.path.endswith(_LEGACY):
            _take_file(entry, tar, content, limits, read_layer)
    elif entry.kind is not Kind.FOLDER:
        content.strange[entry.path] = entry.kind


def _take_file(
    entry: Entry, tar: Tar, content: Content, limits: ArchiveLimits, read_layer: Callable[[Source], Layer]
) -> None:
    file = io.BufferedReader(tar.open(), CHUNK)
    head = file.peek(BLOCK)
    if not head.lstrip().startswith((b"{", b"[")) or head[257:262] == b"ustar":
        content.layers[entry.path] = read_layer(file)
        return
    kept = sum(len(document.data or b"") for document in content.documents.values())
    if entry.size > limits.json_bytes or kept + entry.size > _JSON_TOGETHER:
        content.documents[entry.path] = Document(None, "")
        return
    data = file.read()
    content.documents[entry.path] = Document(data, f"sha256:{sha256(data).hexdigest()}")


def _check_config(config: Config, platform: str, limits: ArchiveLimits, look_for: Collection[str]) -> None:
    if config.platform != platform:
        found = ascii(config.platform)[1:-1][:40]
        raise rejected(Code.ARCHIVE_PLATFORM_WRONG, found=found, expected=platform)
    for variable in config.env:
        name = variable.partition("=")[0]
        if name in _PRELOADS:
            raise rejected(Code.ARCHIVE_LD_PRELOAD, variable, variable=name)
    if len(config.volumes) > limits.volumes:
        raise rejected(Code.ARCHIVE_VOLUME_UNUSABLE, f"{len(config.volumes)} volumes")
    for volume in config.volumes:
        _check_volume(volume, look_for)


def _check_volume(volume: str, look_for: Collection[str]) -> None:
    parts = [part for part in volume.split("/") if part]
    problem = ""
    if not volume.startswith("/") or not parts or {".", ".."} & set(parts) or not volume.isprintable():
        problem = "which is not the absolute path of a folder"
    elif any(path.startswith(f"/{'/'.join(parts)}/") for path in look_for):
        problem = "which is replaced by an empty folder and would hide your entry scripts"
    if problem:
        raise rejected(
            Code.ARCHIVE_VOLUME_UNUSABLE, volume, volume=ascii(volume)[1:-1][:120], problem=problem
        )


def _checked_layers(content: Content, parts: Parts, config: Config) -> list[Layer]:
    if len(parts.layers) != len(config.diff_ids):
        problem = f"it names {len(config.diff_ids)} layers, the manifest {len(parts.layers)}"
        raise rejected(Code.ARCHIVE_JSON_INVALID, problem, entry=ascii(parts.config), problem=problem)
    return [_checked_layer(content, *pair) for pair in zip(parts.layers, config.diff_ids, strict=True)]


def _checked_layer(content: Content, path: str, diff_id: str) -> Layer:
    layer = content.layers.get(content.file(path))
    shown = ascii(path)[1:-1][:120]
    if layer is None:
        raise rejected(Code.ARCHIVE_LAYER_MISSING, path, entry=shown)
    if layer.problem:
        facts = {"entry": shown} | layer.problem.facts
        raise rejected(layer.problem.code, f"{path}: {layer.problem.detail}", **facts)
    check_name(path, layer.digest)
    if layer.diff_id != diff_id:
        raise rejected(Code.ARCHIVE_DIGEST_WRONG, f"{path} is {layer.diff_id}, not {diff_id}", entry=shown)
    return layer


def _warnings(config: Config) -> Iterator[str]:
    if config.entrypoint:
        yield "The image sets ENTRYPOINT; the platform clears it and runs the entry scripts itself."
    for volume in config.volumes:
        yield f"The image declares VOLUME {volume}; the platform puts an empty folder of 1 MB there."
    if config.health_check:
        yield "The image sets HEALTHCHECK; the platform switches it off."
    if config.user:
        yield "The image sets USER; the platform runs it as a user of its own, who must be able to read all."


def _put(target: IO[bytes], name: str, data: Source, size: int) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o444
    target.write(info.tobuf(tarfile.GNU_FORMAT))
    shutil.copyfileobj(data, target, CHUNK)
    target.write(bytes(-size % BLOCK))


def _copy_layers(source: Path, limits: ArchiveLimits, names: Mapping[str, str], target: IO[bytes]) -> None:
    left = set(names.values())
    with _opened(source, limits, seek=True) as tar:
        for entry in tar.entries():
            name = names.get(entry.path)
            if name in left:
                left.remove(name)
                _put(target, name, tar.open(), entry.size)
    if left:
        raise rejected(Code.ARCHIVE_LAYER_MISSING, f"{sorted(left)} are gone since the inspection")
