"""Inflate gzip from strangers: never more than asked for, and every kind of damage is an error."""

import io
import zlib
from typing import Any, BinaryIO, Protocol

MAGIC = b"\x1f\x8b"
_CHUNK = 1 << 16
_ROOM = 1 << 20
_MEMBERS = 1000
_BYTES_PER_MEMBER = 256


class GzipError(ValueError):
    """The stream is cut short, fails its checksum, or is followed by something else; the text says which."""


def is_one_member(file: BinaryIO, length: int) -> bool:
    """Whether a gzip file is one member and nothing else, told from both of its ends.

    `length` is what another inflater made of it without a complaint, in bytes. Fast ones verify checksums
    and lengths as `Gunzip` does, but pass unknown flags, zeros between members and any number of members.
    Here the start must inflate to something, and the last four bytes, which say how long the last member
    is, must say `length`: so the last member is the first one.
    """
    file.seek(0)
    try:
        begins = zlib.decompressobj(wbits=31).decompress(file.read(_CHUNK), 1)
    except zlib.error:
        return False
    file.seek(-4, io.SEEK_END)
    ends = int.from_bytes(file.read(4), "little")
    return bool(begins) and 0 < length < 1 << 32 and ends == length


class Readable(Protocol):
    """Anything with a `read`."""

    def read(self, size: int = -1, /) -> bytes: ...


class Gunzip(io.RawIOBase):
    """The content of a gzip stream of one or more members; zeros may follow the last one.

    `readinto` inflates at most as many bytes as it is given room for, so that a small file that inflates
    to gigabytes costs nothing but what its reader asks for. Checksums and lengths are verified.

    Raises (from reading):
        GzipError: the stream is damaged.
    """

    def __init__(self, source: Readable) -> None:
        self._source = source
        self._pending = b""
        self._inflater = zlib.decompressobj(wbits=31)
        self._members = 1
        self._produced = 0
        self._broken: GzipError | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._broken:
            raise self._broken
        try:
            return self._inflate(memoryview(buffer).cast("B"))
        except GzipError as error:
            self._broken = error
            raise

    def _inflate(self, view: memoryview) -> int:
        while view.nbytes and not self._ended():
            piece = self._pending or self._source.read(_CHUNK)
            try:
                data = self._inflater.decompress(piece, min(view.nbytes, _ROOM))
            except zlib.error as error:
                raise GzipError(f"damaged compressed data ({error})") from error
            self._pending = self._inflater.unconsumed_tail or self._inflater.unused_data
            if data:
                view[: len(data)] = data
                self._produced += len(data)
                return len(data)
            if not piece and not self._inflater.eof:
                raise GzipError("cut short in the compressed data")
        return 0

    def _ended(self) -> bool:
        """Step over the end of a member; true when nothing but zeros follows."""
        if not self._inflater.eof:
            return False
        while piece := (self._pending or self._source.read(_CHUNK)):
            if piece[:1] != b"\0":
                self._pending = piece
                self._next_member()
                return False
            self._pending = piece.lstrip(b"\0")
            if self._pending:
                raise GzipError("something else follows the compressed data")
        return True

    def _next_member(self) -> None:
        self._members += 1
        if self._members > _MEMBERS + self._produced // _BYTES_PER_MEMBER:
            raise GzipError("made of far too many parts")
        if len(self._pending) < len(MAGIC):
            self._pending += self._source.read(_CHUNK)
        if not self._pending.startswith(MAGIC):
            raise GzipError("something else follows the compressed data")
        self._inflater = zlib.decompressobj(wbits=31)
