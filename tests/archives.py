"""Image archives for tests, made in memory: the three layouts that exist, and whatever is wrong with them."""

import gzip
import io
import json
import tarfile
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

Member = tuple[str | tarfile.TarInfo, bytes]


def digest(data: bytes) -> str:
    return f"sha256:{sha256(data).hexdigest()}"


def blob_name(data: bytes) -> str:
    return f"blobs/sha256/{sha256(data).hexdigest()}"


def tar(*members: Member, format: int = tarfile.PAX_FORMAT) -> bytes:
    """A tar of files in order; a TarInfo is taken as it is, with the size of its data if it is a file."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=format) as archive:
        for name, data in members:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            if info.isfile():
                info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def special(name: str, kind: bytes, link: str = "") -> Member:
    """A tar member that is no file: a link, a folder, a device."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info, b""


@dataclass
class Image:
    """An image of given layers (tars, unpacked); `settings` go into its configuration, `top` beside them."""

    layers: list[bytes] = field(default_factory=lambda: [tar(("workspace/run_pixel_brain.sh", b"echo\n"))])
    settings: dict[str, Any] = field(default_factory=dict)
    top: dict[str, Any] = field(default_factory=dict)
    compress: bool = False

    @property
    def config(self) -> bytes:
        tree = {
            "architecture": "amd64",
            "os": "linux",
            "config": self.settings,
            "rootfs": {"type": "layers", "diff_ids": [digest(layer) for layer in self.layers]},
        }
        return json.dumps(tree | self.top).encode()

    @property
    def id(self) -> str:
        return digest(self.config)

    @property
    def stored(self) -> list[bytes]:
        return [gzip.compress(layer, 1, mtime=0) if self.compress else layer for layer in self.layers]

    def docker(self, tags: tuple[str, ...] = ("test:1",)) -> list[Member]:
        """The members of a docker-archive, as Docker orders them."""
        own = f"{self.id[7:]}.json"
        names = [f"{sha256(b'v1' + layer).hexdigest()}/layer.tar" for layer in self.stored]
        listed = [{"Config": own, "RepoTags": list(tags), "Layers": names}]
        layers = dict(zip(names, self.stored, strict=True))
        legacy = [(name.replace("layer.tar", "VERSION"), b"1.0") for name in layers]
        return [
            (own, self.config),
            *legacy,
            *layers.items(),
            ("manifest.json", json.dumps(listed).encode()),
            ("repositories", b'{"test": {"1": "abc"}}'),
        ]

    def manifest(self) -> bytes:
        kind = "application/vnd.oci.image.layer.v1.tar" + ("+gzip" if self.compress else "")
        layers = [{"mediaType": kind, **descriptor(layer)} for layer in self.stored]
        return json.dumps({"schemaVersion": 2, "config": descriptor(self.config), "layers": layers}).encode()

    def blobs(self) -> list[Member]:
        parts = dict.fromkeys([self.config, *self.stored, self.manifest()])
        return [(blob_name(part), part) for part in parts]

    def oci(self, *others: "Image") -> list[Member]:
        """The members of an OCI archive of this image and `others`."""
        images = [self, *others]
        index = {"schemaVersion": 2, "manifests": [descriptor(image.manifest()) for image in images]}
        blobs = dict(blob for image in images for blob in image.blobs())
        layout: list[Member] = [("oci-layout", b'{"imageLayoutVersion": "1.0.0"}')]
        return [*blobs.items(), ("index.json", json.dumps(index).encode()), *layout]


def descriptor(data: bytes) -> dict[str, Any]:
    return {"digest": digest(data), "size": len(data)}


def save(path: Path, members: list[Member], compress: bool = False) -> Path:
    """Write an archive as `docker save` would, through gzip if asked."""
    data = tar(*members)
    path.write_bytes(gzip.compress(data, 1, mtime=0) if compress else data)
    return path
