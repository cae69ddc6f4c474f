"""NIfTI files in memory, and streams that give their bytes in odd ways."""

import io
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

SCALING = slice(112, 120)


def nifti(data: NDArray[Any], *, scaling: tuple[float, float] | None = None, second: bool = False) -> bytes:
    """A file of one part with these raw values, in their byte order."""
    kind: Any = nib.Nifti2Header if second else nib.Nifti1Header
    header = kind(endianness=">" if data.dtype.str[0] == ">" else "<")
    header.set_data_shape(data.shape)
    header.set_data_dtype(data.dtype)
    header["vox_offset"] = 544 if second else 352
    header["scl_slope"], header["scl_inter"] = scaling or (np.nan, np.nan)
    header["magic"] = b"n+2" if second else b"n+1"
    return bytes(header.binaryblock) + bytes(4) + data.tobytes(order="F")


def as_nibabel_reads(data: bytes) -> NDArray[np.float64]:
    """The scores in a file, scaled."""
    kind: Any = nib.Nifti2Image if data[:4] in (b"\x1c\x02\0\0", b"\0\0\x02\x1c") else nib.Nifti1Image
    scores: NDArray[np.float64] = kind.from_bytes(data).get_fdata()
    return scores


class Trickle(io.RawIOBase):
    """Gives at most `most` bytes at a time."""

    def __init__(self, data: bytes, most: int) -> None:
        self._source, self._most, self.given = io.BytesIO(data), most, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = self._source.readinto(memoryview(buffer).cast("B")[: self._most])
        self.given += count
        return count


class Zeros(io.RawIOBase):
    """A header, and as many zeros behind it as asked for."""

    def __init__(self, header: bytes, size: int) -> None:
        self._header, self._left = io.BytesIO(header), size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        if count := self._header.readinto(view):
            return count
        count = min(view.nbytes, self._left)
        np.frombuffer(view, np.uint8)[:count] = 0
        self._left -= count
        return count
