"""One scan's file taken apart: what surrounds the voxels, and the voxels."""

import gzip
import struct
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from nibabel.nifti1 import header_dtype
from numpy.typing import NDArray

from datasets import volume
from datasets.delivery import delivered_size
from datasets.manifest import Case

_EXTRA, _NAME, _COMMENT, _CHECK = 4, 8, 16, 2  # flags of RFC 1952
_OTHER = "something else"
_TEXTS = ("data_type", "db_name", "descrip", "aux_file", "intent_name")


@dataclass(frozen=True)
class Envelope:
    """Everything of a file but its voxels.

    `gzip_header`: the compressed stream's, with name and comment. `header`: all bytes before the voxels,
    extensions included. `tail`: all bytes after them. Sizes in bytes. `writer`: what makes the
    very same file of the same voxels, so that a file that it made tells nothing else.
    """

    gzip_header: bytes
    header: bytes
    tail: bytes
    size: int
    delivered: int
    writer: str
    modified: float
    mode: int

    def texts(self) -> dict[str, str]:
        """Free text in the header that is not empty."""
        raw = np.frombuffer(self.header[:348], dtype=header_dtype)[0]
        found = {name: bytes(raw[name]).rstrip(b"\0").decode("latin-1") for name in _TEXTS}
        if len(self.header) > 352:
            found["extension"] = f"{len(self.header) - 352} bytes"
        return {name: text for name, text in found.items() if text}


@dataclass(frozen=True)
class Scan:
    """`data`: float32 (x, y, z) as a container reads it."""

    case: Case
    envelope: Envelope
    data: NDArray[np.float32]


def read(folder: Path, case: Case) -> Scan:
    """Read a scan of a built dataset.

    Raises:
        VolumeError: it is no volume.
        OSError: it cannot be read.
    """
    path = folder / case.image.path
    found = volume.read(path)
    return Scan(case, _envelope(path, found), found.data)


def fields_that_differ(headers: list[bytes]) -> list[str]:
    """The NIfTI fields in which headers differ, by name."""
    if len({len(header) for header in headers}) > 1:
        return ["the length"]
    bytes_ = np.frombuffer(b"".join(headers), np.uint8).reshape(len(headers), -1)
    differing = np.flatnonzero((bytes_ != bytes_[0]).any(axis=0))
    return list(dict.fromkeys(_field(int(offset)) for offset in differing))


def _field(offset: int) -> str:
    for name, (kind, start, *_) in (header_dtype.fields or {}).items():
        if start <= offset < start + kind.itemsize:
            return str(name)
    return "extension"


def _envelope(path: Path, found: volume.Volume) -> Envelope:
    stored, stat = path.read_bytes(), path.stat()
    packed = stored.startswith(volume.GZIP_MAGIC)
    content = gzip.decompress(stored) if packed else stored
    start = int(struct.unpack("<f", content[108:112])[0])
    end = start + found.data.size * struct.unpack("<h", content[72:74])[0] // 8
    return Envelope(
        gzip_header=stored[: _gzip_header(stored)] if packed else b"",
        header=content[:start],
        tail=content[end:],
        size=len(stored),
        delivered=delivered_size(len(content)),
        writer=_writer(stored, found),
        modified=stat.st_mtime,
        mode=stat.st_mode & 0o777,
    )


def _writer(stored: bytes, found: volume.Volume) -> str:
    """Which function of `datasets.volume` writes these voxels as these bytes."""
    # A header holds float32: the shortest number that becomes it is what the spacing was written from.
    spacing = [float(str(np.float32(step))) for step in np.diag(found.affine)[:3]]
    with TemporaryDirectory() as folder:
        again = Path(folder) / "again"
        try:
            volume.write_scan(again, found.data, spacing)
        except ValueError:
            return _OTHER
        if again.read_bytes() == stored:
            return "write_scan"
        volume.write(again, found.data, spacing, np.float32)
        return "write" if again.read_bytes() == stored else _OTHER


def _gzip_header(stored: bytes) -> int:
    """How long the header of a gzip stream is."""
    flags, end = stored[3], 10
    if flags & _EXTRA:
        end += 2 + struct.unpack("<H", stored[end : end + 2])[0]
    for text in (_NAME, _COMMENT):
        if flags & text:
            end = stored.index(b"\0", end) + 1
    return end + 2 * bool(flags & _CHECK)
