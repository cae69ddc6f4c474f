"""The voxels of a NIfTI file of one part, piece by piece from a stream that nobody vouches for.

The header is read and compared with the expected shape before anything behind it is asked for, and the
stream has to end where the header says. Trailing axes of length one are dropped, the affine is ignored (as
in the MOOD challenge), and integers and scaled data become floats as in nibabel, which is not imported: with
all that it looks for, it would take more memory than the rest of scoring a volume.

Fields and their places: the headers nifti1.h and nifti2.h of the NIfTI standard.
"""

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

CHUNK_BYTES = 1 << 18

_VOXELS_START = {348: 352, 540: 544}
_ORDERS: dict[Literal["<", ">"], Literal["little", "big"]] = {"<": "little", ">": "big"}
_MAX_OFFSET = 1 << 20
_DTYPES = {
    2: "uint8",
    4: "int16",
    8: "int32",
    16: "float32",
    64: "float64",
    256: "int8",
    512: "uint16",
    768: "uint32",
    1024: "int64",
    1280: "uint64",
}
_NO_SCORES = {32: "complex64", 1792: "complex128"}


class Unreadable(ValueError):
    """Not a NIfTI file that can be scored; the text tells its author why."""


class WrongShape(ValueError):
    """A volume of another shape than expected; the text says in numbers how it differs."""


class _Header(NamedTuple):
    """The fields that matter, as they are written."""

    magic: bytes
    order: Literal["<", ">"]
    dim: tuple[int, ...]
    datatype: int
    vox_offset: float
    scl_slope: float
    scl_inter: float


@dataclass(frozen=True)
class Layout:
    """How the voxels of a stream are stored.

    `dtype` with its byte order; a score is `slope` × raw + `inter`, or the raw value where `slope` is None.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    slope: float | None
    inter: float | None

    @property
    def is_plain_float(self) -> bool:
        """Whether the raw values are float32 or float64 scores already."""
        return self.slope is None and self.dtype.kind == "f" and self.dtype.itemsize in (4, 8)

    def scores(self, raw: NDArray[Any]) -> NDArray[np.floating[Any]]:
        """Raw values as float32 or float64, exactly as nibabel scales them; any shape."""
        with np.errstate(all="ignore"):
            scaled = raw if self.slope is None else _scaled(raw, self.slope, self.inter or 0.0)
            small = scaled.dtype.itemsize <= (4 if scaled.dtype.kind == "f" else 2)
            values: NDArray[np.floating[Any]] = scaled.astype(np.float32 if small else np.float64, copy=False)
            return values


def read_layout(stream: BinaryIO, shape: tuple[int, ...]) -> Layout:
    """Read up to the first voxel of an uncompressed stream that should hold a volume of this shape.

    Raises `Unreadable` and `WrongShape`, and whatever the stream raises.
    """
    header, length = _header(stream)
    dtype = _dtype(header)
    _check_shape(_shape(header), shape)
    start = _voxels_start(header, length)
    slope, inter = _scaling(header)
    _read_exactly(stream, bytearray(start - length), "its header")
    return Layout(shape, dtype, slope, inter)


def raw_chunks(stream: BinaryIO, layout: Layout) -> Iterator[NDArray[Any]]:
    """The raw voxels in file order, up to `CHUNK_BYTES` at a time, in native byte order.

    Every chunk is the same memory: look at one before asking for the next. Raises `Unreadable` when the
    stream ends early, and after the last chunk when it does not end there.
    """
    native = layout.dtype.newbyteorder("=")
    buffer = np.empty(CHUNK_BYTES // native.itemsize, native)
    left = math.prod(layout.shape)
    while left:
        chunk = buffer if left >= buffer.size else buffer[:left]
        _read_exactly(stream, chunk.view(np.uint8), "its voxels")
        if layout.dtype != native:
            chunk.byteswap(inplace=True)
        yield chunk
        left -= chunk.size
    if stream.read(1):
        raise Unreadable("longer than its header says")


def _header(stream: BinaryIO) -> tuple[_Header, int]:
    start = bytearray(4)
    _read_exactly(stream, start, None)
    sizes = {order: int.from_bytes(start, name) for order, name in _ORDERS.items()}
    order = next((order for order, size in sizes.items() if size in _VOXELS_START), None)
    if order is None:
        raise Unreadable("not a NIfTI file")
    length = sizes[order]
    block = start + bytearray(length - len(start))
    _read_exactly(stream, memoryview(block)[len(start) :], "its header")
    header = _nifti_1(block, order) if length == 348 else _nifti_2(block, order)
    if header.magic not in (b"n+1", b"n+2"):
        raise Unreadable("not a NIfTI file of one part (.nii or .nii.gz)")
    return header, length


def _nifti_1(block: bytearray, order: Literal["<", ">"]) -> _Header:
    dim = struct.unpack_from(f"{order}8h", block, 40)
    (datatype,) = struct.unpack_from(f"{order}h", block, 70)
    return _Header(bytes(block[344:347]), order, dim, datatype, *struct.unpack_from(f"{order}3f", block, 108))


def _nifti_2(block: bytearray, order: Literal["<", ">"]) -> _Header:
    (datatype,) = struct.unpack_from(f"{order}h", block, 12)
    dim = struct.unpack_from(f"{order}8q", block, 16)
    return _Header(bytes(block[4:7]), order, dim, datatype, *struct.unpack_from(f"{order}q2d", block, 168))


def _dtype(header: _Header) -> np.dtype[Any]:
    if header.datatype not in _DTYPES:
        name = _NO_SCORES.get(header.datatype, "unknown or no number")
        raise Unreadable(f"its data type is {name}, write float32")
    return np.dtype(_DTYPES[header.datatype]).newbyteorder(header.order)


def _shape(header: _Header) -> tuple[int, ...]:
    count = header.dim[0]
    if not 1 <= count <= 7:
        raise Unreadable("its header has no possible number of axes")
    written = header.dim[1 : count + 1]
    while len(written) > 3 and written[-1] == 1:
        written = written[:-1]
    return written


def _check_shape(written: tuple[int, ...], expected: tuple[int, ...]) -> None:
    if written == expected:
        return
    differing = [
        axis for axis in range(len(expected)) if written[axis : axis + 1] != expected[axis : axis + 1]
    ]
    if len(written) == len(expected) and len(differing) == 1:
        axis = differing[0]
        what = "slices" if axis == 2 else f"voxels along axis {axis + 1}"
        raise WrongShape(f"{written[axis]} {what} written, {expected[axis]} expected")
    raise WrongShape(f"shape {_times(written)} written, {_times(expected)} expected")


def _times(shape: tuple[int, ...]) -> str:
    return " × ".join(str(length) for length in shape)


def _voxels_start(header: _Header, length: int) -> int:
    """Where the voxels start; 0 means right behind the header, as other readers take it."""
    smallest, offset = _VOXELS_START[length], header.vox_offset
    if offset == 0:
        return smallest
    if not smallest <= offset <= _MAX_OFFSET or offset != int(offset):
        raise Unreadable("its header says that the voxels start where they cannot")
    return int(offset)


def _scaling(header: _Header) -> tuple[float | None, float | None]:
    slope, inter = header.scl_slope, header.scl_inter
    if slope == 0 or not math.isfinite(slope):
        return None, None
    if not math.isfinite(inter):
        raise Unreadable("scl_slope and scl_inter of its header are not possible")
    return (None, None) if (slope, inter) == (1, 0) else (slope, inter)


def _scaled(raw: NDArray[Any], slope: float, inter: float) -> NDArray[np.float64]:
    """In float64, whatever the type; a step that changes nothing is left out, since it would change -0."""
    values: NDArray[np.float64] = raw.astype(np.float64)
    if slope != 1:
        values *= slope
    if inter != 0:
        values += inter
    return values


def _read_exactly(stream: Any, target: Any, what: str | None) -> None:
    """Fill the target; the stream may give it in any pieces. Without `what`, nothing of it was recognized."""
    view = memoryview(target)
    filled = 0
    while filled < view.nbytes:
        count = stream.readinto(view[filled:] if filled else view)
        if not count:
            raise Unreadable(f"cut short in {what}" if what else "not a NIfTI file")
        filled += count
