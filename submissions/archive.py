"""Read tar archives of strangers as a stream, in bounded memory, the way the engines understand them.

Python's `tarfile` reads extended headers of any size into memory and follows other rules than the engines'
Go library in places; this reader is the small common part, and strict.
"""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256
from typing import Any

from challenges.spec import Limits
from submissions.contract import Code, Failure, failure

BLOCK = 512
CHUNK = 1 << 20
_SPECIAL = 1 << 20
_PATH = 4096
_ZEROS = bytes(BLOCK)
Source = io.BufferedIOBase | io.RawIOBase
_SPECIAL_FLAGS = (b"x", b"X", b"g", b"L", b"K")
_PAX_KEYS = (b"path", b"linkpath", b"size", b"GNU.sparse.name", b"GNU.sparse.realsize", b"GNU.sparse.size")


class ArchiveRejected(Exception):
    """The archive is not accepted; `failure` says why, to the participant and to the operator."""

    def __init__(self, reason: Failure) -> None:
        super().__init__(f"{reason.code}: {reason.detail or reason.message}")
        self.failure = reason

    @property
    def code(self) -> Code:
        return self.failure.code

    @property
    def message(self) -> str:
        return self.failure.message

    @property
    def detail(self) -> str:
        return self.failure.detail


def rejected(code: Code, detail: str = "", **facts: object) -> ArchiveRejected:
    """The exception for a failure of the catalogue."""
    return ArchiveRejected(failure(code, detail, **facts))


class TarError(ValueError):
    """The stream is not a tar archive that the engines would read; the text says why."""


@dataclass(frozen=True)
class ArchiveLimits:
    """What an archive may hold.

    Attributes:
        archive: bytes of the file as uploaded.
        unpacked: bytes of all layers unpacked.
        entries: files, folders and links in all layers together.
        json_bytes: bytes of one JSON file.
        volumes: paths that the image may declare as volumes.
    """

    archive: int
    unpacked: int
    entries: int = 1_000_000
    json_bytes: int = 4 << 20
    volumes: int = 32

    @classmethod
    def of(cls, limits: Limits) -> "ArchiveLimits":
        """The limits that a challenge sets."""
        return cls(archive=limits.archive, unpacked=limits.unpacked_image)


class Kind(Enum):
    """What a tar entry is."""

    FILE = "a file"
    FOLDER = "a folder"
    SYMLINK = "a symbolic link"
    HARD_LINK = "a hard link"
    DEVICE = "a device node"
    FIFO = "a named pipe"
    OTHER = "of an unknown kind"


_KINDS = {
    b"0": Kind.FILE,
    b"\0": Kind.FILE,
    b"7": Kind.FILE,
    b"S": Kind.FILE,
    b"1": Kind.HARD_LINK,
    b"2": Kind.SYMLINK,
    b"3": Kind.DEVICE,
    b"4": Kind.DEVICE,
    b"5": Kind.FOLDER,
    b"6": Kind.FIFO,
}


@dataclass(slots=True)
class Entry:
    """One entry: `path` without `.`, doubled or outer slashes; `on_disk` bytes once unpacked."""

    path: str
    kind: Kind
    link: str
    absolute: bool
    size: int
    on_disk: int

    @property
    def climbs(self) -> bool:
        """Whether the path leads upwards."""
        return ".." in self.path and ".." in self.path.split("/")


class Tap(io.RawIOBase):
    """Passes a stream on, hashing and counting it; `spend` is told of every piece and may raise."""

    def __init__(self, source: Source, hashing: bool = True) -> None:
        self._source = source
        self._hash = sha256() if hashing else None
        self.spend: Callable[[int], None] | None = None
        self.count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        count = self._source.readinto(view) or 0
        if self._hash:
            self._hash.update(view[:count])
        self.count += count
        if self.spend:
            self.spend(count)
        return count

    @property
    def digest(self) -> str:
        """`sha256:…` of what has passed; empty where nothing is hashed."""
        return f"sha256:{self._hash.hexdigest()}" if self._hash else ""


class Tar:
    """The entries of a tar stream, in order.

    Raises (from everything):
        TarError: the stream is damaged or cut short.
    """

    def __init__(self, stream: "io.BufferedReader[Any]", seek: bool = False) -> None:
        self._stream = stream
        self._seek = seek
        self._left = 0
        self._padding = 0
        self._scratch = memoryview(bytearray(CHUNK))

    def open(self) -> io.RawIOBase:
        """The data of the current entry."""
        return _Data(self)

    def read_into(self, view: memoryview) -> int:
        """Fill `view` with the next data of the current entry; 0 at its end."""
        view = view[: self._left]
        count = self._stream.readinto(view) if view.nbytes else 0
        if view.nbytes and not count:
            raise TarError("cut short in the data of a file")
        self._left -= count
        return count

    def entries(self) -> Iterator[Entry]:
        """The entries in order; data that was not read is skipped."""
        while (entry := self._next()) is not None:
            yield entry
            self._skip(self._left + self._padding)

    def drain(self) -> None:
        """Read what follows the end of the archive, so that it is hashed and checked too."""
        while self._stream.readinto(self._scratch):
            pass

    def _next(self) -> Entry | None:
        overrides: dict[str, str] = {}
        while (header := self._header()) is not None:
            flag = header[156:157]
            if flag not in _SPECIAL_FLAGS:
                return self._enter(header, overrides)
            data = self._special(_number(header[124:136]))
            if flag == b"L":
                overrides.setdefault("path", _text(data))
            elif flag == b"K":
                overrides.setdefault("linkpath", _text(data))
            elif flag != b"g":
                overrides |= _pax(data)
        if overrides:
            raise TarError("cut short after an extended header")
        return None

    def _header(self) -> bytes | None:
        header = self._stream.read(BLOCK)
        if not header:
            return None
        if header == _ZEROS:
            if self._stream.read(BLOCK) not in (b"", _ZEROS):
                raise TarError("a single empty block in the middle")
            return None
        if len(header) < BLOCK:
            raise TarError("cut short in a header")
        expected = sum(header) - sum(header[148:156]) + 8 * ord(" ")
        if _number(header[148:156]) != expected:
            raise TarError("a header has a wrong checksum, or this is no tar archive")
        return header

    def _enter(self, header: bytes, overrides: dict[str, str]) -> Entry:
        flag = header[156:157]
        kind = _KINDS.get(flag, Kind.OTHER)
        path = overrides.get("GNU.sparse.name") or overrides.get("path") or _path(header)
        if kind is Kind.FILE and flag == b"\0" and path.endswith("/"):
            kind = Kind.FOLDER
        size = _decimal(overrides["size"]) if overrides.get("size") else _number(header[124:136])
        self._left = size if kind in (Kind.FILE, Kind.OTHER) else 0
        self._padding = -self._left % BLOCK
        if flag == b"S":
            self._skip_sparse_map(header)
        link = overrides.get("linkpath") or _text(header[157:257])
        if len(path) > _PATH or len(link) > _PATH:
            raise TarError("a path is too long")
        parts = [part for part in path.split("/") if part not in ("", ".")]
        on_disk = self._on_disk(header, overrides)
        return Entry("/".join(parts), kind, link, path.startswith("/"), self._left, on_disk)

    def _on_disk(self, header: bytes, overrides: dict[str, str]) -> int:
        """Engines write the holes of a sparse file out, so that its real size is what counts."""
        claims = [overrides[key] for key in ("GNU.sparse.realsize", "GNU.sparse.size") if overrides.get(key)]
        real = _number(header[483:495]) if header[156:157] == b"S" else 0
        return max(self._left, real, *map(_decimal, claims))

    def _skip_sparse_map(self, header: bytes) -> None:
        more = header[482]
        while more:
            block = self._stream.read(BLOCK)
            if len(block) < BLOCK:
                raise TarError("cut short in a sparse map")
            more = block[504]

    def _special(self, size: int) -> bytes:
        if size > _SPECIAL:
            raise TarError("an extended header is too large")
        data = self._stream.read(size)
        if len(data) < size:
            raise TarError("cut short in an extended header")
        self._skip(-size % BLOCK)
        return data

    def _skip(self, count: int) -> None:
        self._left = self._padding = 0
        if self._seek and count > BLOCK:
            self._stream.seek(count, io.SEEK_CUR)
            return
        while count > 0:
            read = self._stream.readinto(self._scratch[:count])
            if not read:
                raise TarError("cut short in the data of a file")
            count -= read


class _Data(io.RawIOBase):
    def __init__(self, tar: Tar) -> None:
        self._tar = tar

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._tar.read_into(memoryview(buffer).cast("B"))


def _number(field: bytes) -> int:
    """Octal digits, or binary with the highest bit set."""
    if field[0] & 0x80:
        value = int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
    else:
        digits = field.split(b"\0")[0].strip() or field.strip(b" \0")
        if digits.strip(b"01234567"):
            raise TarError("a number in a header is not octal")
        value = int(digits or b"0", 8)
    if value >= 1 << 62:
        raise TarError("a size is not possible")
    return value


def _decimal(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise TarError("a size in an extended header is not a number")
    return int(text)


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")


def _path(header: bytes) -> str:
    name, prefix = _text(header[:100]), _text(header[345:500])
    return f"{prefix}/{name}" if prefix and header[257:263] == b"ustar\0" else name


def _pax(data: bytes) -> dict[str, str]:
    """The records `<length> <key>=<value>\\n` that matter here."""
    records: dict[str, str] = {}
    while data:
        length, space, _ = data.partition(b" ")
        if not space or not length.isdigit() or len(length) > 9:
            raise TarError("an extended header is damaged")
        record, data = data[len(length) + 1 : int(length)], data[int(length) :]
        key, equals, value = record.partition(b"=")
        if not equals or not value.endswith(b"\n") or int(length) <= len(length):
            raise TarError("an extended header is damaged")
        if key in _PAX_KEYS:
            records[key.decode()] = value[:-1].decode("utf-8", "surrogateescape")
    return records
