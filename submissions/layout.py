"""Find the one image in the JSON files of an archive, and read its configuration as the engines would.

Sources: the image specifications of Docker (v1.2, "Combined Image JSON + Filesystem Changeset Format") and of
the Open Container Initiative (image-layout, manifest, config).
"""

import json
import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from submissions.archive import Kind, rejected
from submissions.contract import Code
from submissions.layers import Layer

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_NAMED_BY_DIGEST = re.compile(r"(?:blobs/sha256/)?([0-9a-f]{64})(?:\.json)?")


@dataclass(frozen=True)
class Document:
    """A JSON file of the archive; `data` is None where it is too large to be kept."""

    data: bytes | None
    digest: str


@dataclass
class Content:
    """What an archive holds, by normalised path; `strange` is what `docker save` never writes."""

    documents: dict[str, Document] = field(default_factory=dict)
    layers: dict[str, Layer] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    strange: dict[str, Kind] = field(default_factory=dict)

    def __contains__(self, path: str) -> bool:
        return any(path in part for part in (self.documents, self.layers, self.links, self.strange))

    def file(self, path: str) -> str:
        """The path itself, or the one that a link there leads to."""
        return self.links.get(path, path)


@dataclass(frozen=True)
class Parts:
    """The files of one image: paths in the archive, the lowest layer first."""

    config: str
    layers: tuple[str, ...]


@dataclass(frozen=True)
class Config:
    """The configuration of an image, as far as it matters here."""

    digest: str
    platform: str
    env: tuple[str, ...]
    entrypoint: tuple[str, ...]
    user: str
    volumes: tuple[str, ...]
    health_check: bool
    diff_ids: tuple[str, ...]


def find_image(content: Content, platform: str) -> Parts:
    """The only image of `platform` in the archive.

    Raises:
        ArchiveRejected: there is none, there are several, or what describes them cannot be understood.
    """
    if "manifest.json" not in content.documents and "index.json" not in content.documents:
        raise rejected(Code.ARCHIVE_NO_IMAGE, "neither manifest.json nor index.json")
    _check_links(content)
    images = _docker_images(content) or _oci_images(content, platform)
    if not images:
        raise rejected(Code.ARCHIVE_NO_IMAGE, "the manifests name no image")
    if len(images) > 1:
        configs = ", ".join(image.config for image in images)
        raise rejected(Code.ARCHIVE_SEVERAL_IMAGES, configs, count=len(images))
    return images[0]


def read_config(content: Content, path: str) -> Config:
    """The configuration at `path`.

    Keys are matched without regard to case, as the engines do; a key that occurs twice is an error, so that
    nothing is read here that the engine reads differently.

    Raises:
        ArchiveRejected: it is absent, damaged, too large, or not what a configuration is.
    """
    tree = _folded(read_json(content, path), path)
    inner, rootfs = _folded(tree.get("config") or {}, path), _folded(tree.get("rootfs") or {}, path)
    diff_ids = _strings(rootfs.get("diff_ids"), path)
    if not all(_DIGEST.fullmatch(diff_id) for diff_id in diff_ids):
        raise _invalid(path, "a layer is not named by a sha256 digest")
    return Config(
        digest=content.documents[path].digest,
        platform=f"{tree.get('os') or 'unknown'}/{tree.get('architecture') or 'unknown'}",
        env=_strings(inner.get("env"), path),
        entrypoint=_strings(inner.get("entrypoint"), path),
        user=str(inner.get("user") or ""),
        volumes=tuple(_mapping(inner.get("volumes") or {}, path)),
        health_check=bool(inner.get("healthcheck")),
        diff_ids=diff_ids,
    )


def read_json(content: Content, path: str) -> Any:
    """The JSON file at `path`, its digest checked where its name says it.

    Raises:
        ArchiveRejected: it is absent, damaged, too large, or no JSON.
    """
    document = content.documents.get(path)
    if document is None:
        raise _invalid(path, "it is not in the archive, or no JSON")
    if document.data is None:
        raise rejected(Code.ARCHIVE_JSON_TOO_LARGE, path, entry=_shown(path))
    check_name(path, document.digest)
    try:
        return json.loads(document.data, object_pairs_hook=_unique)
    except RecursionError:
        raise _invalid(path, "it is nested too deeply") from None
    except ValueError as error:
        raise _invalid(path, str(error)) from error


def check_name(path: str, digest: str) -> None:
    """A file that is named by a digest has it.

    Raises:
        ArchiveRejected: it has another one.
    """
    named = _NAMED_BY_DIGEST.fullmatch(path)
    if named and digest != f"sha256:{named[1]}":
        raise rejected(Code.ARCHIVE_DIGEST_WRONG, f"{path} is {digest}", entry=_shown(path))


def _check_links(content: Content) -> None:
    """Docker and Podman save equal layers as relative links to one file; nothing else may be a link."""
    for path, kind in content.strange.items():
        raise rejected(Code.ARCHIVE_ENTRY_UNEXPECTED, f"{path}: {kind}", entry=_shown(path), kind=kind.value)
    for path, target in content.links.items():
        whole = posixpath.normpath(posixpath.join("/" + posixpath.dirname(path), target))[1:]
        climb = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
        if target.startswith("/") or climb.split("/")[0] == "..":
            raise rejected(Code.ARCHIVE_PATH_UNSAFE, f"{path} links to {target!r}", entry=_shown(path))
        if whole not in content.layers:
            raise rejected(
                Code.ARCHIVE_ENTRY_UNEXPECTED,
                f"{path} links to {target!r}",
                entry=_shown(path),
                kind="a link to something that is no layer",
            )
        content.links[path] = whole


def _docker_images(content: Content) -> list[Parts]:
    """The images of manifest.json, which every `docker save` writes, each once."""
    path = "manifest.json"
    if path not in content.documents:
        return []
    listed = read_json(content, path)
    if not isinstance(listed, list | None):
        raise _invalid(path, "it is not a list")
    images: dict[Parts, None] = {}
    for item in listed or []:
        image = _mapping(item, path)
        sources = _mapping(image.get("LayerSources") or {}, path).values()
        if any(_mapping(source, path).get("urls") for source in sources):
            raise rejected(Code.ARCHIVE_FOREIGN_LAYER, f"LayerSources in {path}")
        layers = tuple(_inside(layer) for layer in _strings(image.get("Layers"), path))
        images[Parts(_inside(str(image.get("Config") or "")), layers)] = None
    return list(images)


def _oci_images(content: Content, platform: str) -> list[Parts]:
    """The images of index.json and of the indexes below it whose manifests are in the archive, each once.

    Attestations are no images. Of an image for several platforms only the one for `platform` counts, if it
    is there: an archive then holds the others, or names them only.
    """
    found: dict[Parts, str] = {}
    waiting, seen = ["index.json"], set[str]()
    while waiting:
        path = waiting.pop()
        if path in seen or path not in content.documents:
            continue
        seen.add(path)
        tree = _mapping(read_json(content, path), path)
        if "manifests" in tree:
            waiting += [
                _blob(item, path) for item in _list(tree["manifests"], path) if not _attestation(item)
            ]
        elif "layers" in tree and "config" in tree:
            parts = _oci_parts(tree, path)
            known = parts.config in content.documents
            found[parts] = read_config(content, parts.config).platform if known else ""
    fitting = [parts for parts, found_platform in found.items() if found_platform == platform]
    return fitting or list(found)


def _oci_parts(tree: Mapping[str, Any], path: str) -> Parts:
    layers = [_mapping(layer, path) for layer in _list(tree["layers"], path)]
    for layer in layers:
        kind = str(layer.get("mediaType", ""))
        if layer.get("urls") or "foreign" in kind or "nondistributable" in kind:
            raise rejected(Code.ARCHIVE_FOREIGN_LAYER, f"{layer} in {path}")
    return Parts(_blob(tree["config"], path), tuple(_blob(layer, path) for layer in layers))


def _attestation(item: Any) -> bool:
    notes = item.get("annotations") if isinstance(item, dict) else None
    return isinstance(notes, dict) and "vnd.docker.reference.type" in notes


def _blob(descriptor: Any, path: str) -> str:
    digest = str(_mapping(descriptor, path).get("digest"))
    if not _DIGEST.fullmatch(digest):
        raise _invalid(path, "it names something without a sha256 digest")
    return f"blobs/sha256/{digest.removeprefix('sha256:')}"


def _inside(path: str) -> str:
    if path.startswith("/") or ".." in path.split("/"):
        raise rejected(Code.ARCHIVE_PATH_UNSAFE, f"manifest.json names {path!r}", entry=_shown(path))
    return posixpath.normpath(path)


def _folded(tree: Any, path: str) -> dict[str, Any]:
    folded: dict[str, Any] = {}
    for key, value in _mapping(tree, path).items():
        if key.casefold() in folded:
            raise _invalid(path, f"the key {key!r} occurs twice")
        folded[key.casefold()] = value
    return folded


def _unique(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for key, value in pairs:
        if key in tree:
            raise ValueError(f"the key {key!r} occurs twice")
        tree[key] = value
    return tree


def _mapping(tree: Any, path: str) -> dict[str, Any]:
    if not isinstance(tree, dict):
        raise _invalid(path, "something is not an object that should be one")
    return tree


def _list(tree: Any, path: str) -> list[Any]:
    if not isinstance(tree, list):
        raise _invalid(path, "something is not a list that should be one")
    return tree


def _strings(tree: Any, path: str) -> tuple[str, ...]:
    items = _list(tree or [], path)
    if not all(isinstance(item, str) for item in items):
        raise _invalid(path, "something is not a list of strings that should be one")
    return tuple(items)


def _invalid(path: str, problem: str) -> Exception:
    return rejected(Code.ARCHIVE_JSON_INVALID, f"{path}: {problem}", entry=_shown(path), problem=problem)


def _shown(path: str) -> str:
    """A stranger's text in a sentence: printable and short."""
    return ascii(path)[1:-1][:120]
