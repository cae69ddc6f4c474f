"""Files by digest: archives, cases, masks and views lie once in `<data>/blobs`, named by their SHA-256."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

CHUNK = 1 << 20


class DigestMismatch(ValueError):
    """Bytes are not what their name says."""


class Storage:
    """The folder of blobs under a data root."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.blobs = self.root / "blobs"

    def path(self, sha256: str) -> Path:
        """Where the blob lies, or would lie."""
        if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
            raise ValueError(f"not a SHA-256 digest: {sha256!r}")
        return self.blobs / sha256[:2] / sha256

    def has(self, sha256: str) -> bool:
        return self.path(sha256).is_file()

    def scratch(self, name: str) -> Path:
        """A private folder for work in progress, on the same file system as the blobs."""
        folder = self.root / name
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder

    @contextmanager
    def _incoming(self) -> Iterator[tuple[BinaryIO, Path]]:
        handle, name = tempfile.mkstemp(dir=self.scratch("incoming"))
        try:
            with os.fdopen(handle, "wb") as stream:
                yield stream, Path(name)
        finally:
            Path(name).unlink(missing_ok=True)

    def put(self, chunks: Iterator[bytes], expected: str | None = None) -> str:
        """Store a stream of bytes and return its digest.

        Raises:
            DigestMismatch: the bytes are not those that `expected` names; nothing is stored.
        """
        digest = hashlib.sha256()
        with self._incoming() as (stream, name):
            for chunk in chunks:
                digest.update(chunk)
                stream.write(chunk)
            stream.flush()
            os.fsync(stream.fileno())
            if expected is not None and digest.hexdigest() != expected:
                raise DigestMismatch(f"expected {expected}, got {digest.hexdigest()}")
            self._adopt(name, digest.hexdigest())
        return digest.hexdigest()

    def put_file(self, source: Path, expected: str | None = None) -> str:
        """Store a copy of a file; see `put`."""
        with source.open("rb") as stream:
            return self.put(iter(lambda: stream.read(CHUNK), b""), expected)

    def take(self, source: Path, sha256: str) -> None:
        """Store a file of this storage's file system by renaming it; the caller knows its digest."""
        self._adopt(source, sha256)

    def _adopt(self, name: Path, sha256: str) -> None:
        target = self.path(sha256)
        target.parent.mkdir(parents=True, exist_ok=True)
        name.chmod(0o444)
        os.utime(name, (0, 0))  # a container that sees the file learns nothing from its time
        os.replace(name, target)

    def delete(self, sha256: str) -> None:
        self.path(sha256).unlink(missing_ok=True)
