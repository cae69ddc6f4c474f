"""The voxels of a NIfTI file of one part, piece by piece from a stream that nobody vouches for.

The header is read and compared with the expected shape before anything behind it is asked for, and the
stream has to end where the header says. Trailing axes of length one are dropped, the affine is ignored (as
in the MOOD challenge), and integers and scaled data become floats as in nibabel.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal

import numpy as np
from nibabel.nifti1 import Nifti1Header
from nibabel.nifti2 import Nifti2Header
from nibabel.spatialimages import HeaderDataError
from nibabel.volumeutils import apply_read_scaling
from nibabel.wrapstruct import WrapStructError
from numpy.typing import NDArray

CHUNK_BYTES = 1 << 18

_VOXELS_START = {348: 352, 540: 544}
_ORDERS: dict[str, Literal["little", "big"]] = {"<": "little", ">": "big"}
_MAX_OFFSET = 1 << 20
_KINDS = "iuf"
_ITEM_BYTES = 8


class Unreadable(ValueError):
    """Not a NIfTI file that can be scored; the text tells its author why."""


class WrongShape(ValueError):
    """A volume of another shape than expected; the text says in numbers how it differs."""


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
            scaled = raw if self.slope is None else apply_read_scaling(raw, self.slope, self.inter)
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


def _header(stream: BinaryIO) -> tuple[Any, int]:
    start = bytearray(4)
    _read_exactly(stream, start, None)
    sizes = {order: int.from_bytes(start, name) for order, name in _ORDERS.items()}
    order = next((order for order, size in sizes.items() if size in _VOXELS_START), None)
    if order is None:
        raise Unreadable("not a NIfTI file")
    length = sizes[order]
    block = start + bytearray(length - len(start))
    _read_exactly(stream, memoryview(block)[len(start) :], "its header")
    kind: Any = Nifti1Header if length == 348 else Nifti2Header
    try:
        header = kind(bytes(block), order, check=False)
    except (HeaderDataError, WrapStructError, ValueError) as error:
        raise Unreadable("not a NIfTI file") from error
    if header["magic"].item()[:3] not in (b"n+1", b"n+2"):
        raise Unreadable("not a NIfTI file of one part (.nii or .nii.gz)")
    return header, length


def _dtype(header: Any) -> np.dtype[Any]:
    try:
        dtype: np.dtype[Any] = np.dtype(header.get_data_dtype())
    except (HeaderDataError, KeyError):
        dtype = np.dtype("V")
    if dtype.kind not in _KINDS or dtype.itemsize > _ITEM_BYTES:
        name = "unknown or no number" if dtype.kind == "V" else str(dtype)
        raise Unreadable(f"its data type is {name}, write float32")
    return dtype


def _shape(header: Any) -> tuple[int, ...]:
    count = int(header["dim"][0])
    if not 1 <= count <= 7:
        raise Unreadable("its header has no possible number of axes")
    written = tuple(int(length) for length in header["dim"][1 : count + 1])
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


def _voxels_start(header: Any, length: int) -> int:
    """Where the voxels start; 0 means right behind the header, as other readers take it."""
    smallest, offset = _VOXELS_START[length], float(header["vox_offset"])
    if offset == 0:
        return smallest
    if not smallest <= offset <= _MAX_OFFSET or offset != int(offset):
        raise Unreadable("its header says that the voxels start where they cannot")
    return int(offset)


def _scaling(header: Any) -> tuple[float | None, float | None]:
    try:
        slope, inter = header.get_slope_inter()
    except HeaderDataError as error:
        raise Unreadable("scl_slope and scl_inter of its header are not possible") from error
    return (None, None) if slope is None or (slope, inter) == (1, 0) else (slope, inter)


def _read_exactly(stream: Any, target: Any, what: str | None) -> None:
    """Fill the target; the stream may give it in any pieces. Without `what`, nothing of it was recognized."""
    view = memoryview(target)
    filled = 0
    while filled < view.nbytes:
        count = stream.readinto(view[filled:] if filled else view)
        if not count:
            raise Unreadable(f"cut short in {what}" if what else "not a NIfTI file")
        filled += count
