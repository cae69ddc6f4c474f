"""Read what a stranger's container left in its output folder, after the container is dead.

Nothing in there is trusted: only regular files of the expected flat names are opened, sizes are bounded
before anything is read, and shapes are compared before anything is inflated. Whatever is wrong becomes an
`Outcome` with a sentence for the participant. Where tools differ in what they let pass, the rules are:

- The name decides, as in nibabel: `.nii.gz` is gzip, everything else is not.
- The stream ends where the header says. Anything behind it is an error, as are a wrong checksum and a
  gzip stream without its end; only zeros may follow the gzip stream.
- Trailing axes of length one are dropped. The affine is ignored, as in the original challenge.
- Integers and scaled data (`scl_slope`, `scl_inter`) become floats as in nibabel.
- NaN and infinity are errors; numbers outside [0, 1] are not, the metric clips them.
"""

import errno
import io
import math
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from nibabel.nifti1 import Nifti1Header
from nibabel.nifti2 import Nifti2Header
from nibabel.spatialimages import HeaderDataError
from nibabel.volumeutils import apply_read_scaling
from nibabel.wrapstruct import WrapStructError
from numpy.typing import NDArray

from submissions.contract import Outcome, size_text
from submissions.gunzip import MAGIC, Gunzip, GzipError

_TEXT_BYTES = 1 << 20
_LINE_BYTES = 256
_NUMBER = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,9})?")
_NOT_FINITE = re.compile(rb"[+-]?(nan|inf|infinity)", re.IGNORECASE)
_COMMA = re.compile(rb"[+-]?\d+,\d+")
_HEADER_BYTES = {348: 352, 540: 544}
_ORDERS: dict[str, Literal["little", "big"]] = {"<": "little", ">": "big"}
_OFFSET_BYTES = 1 << 20
_DTYPES = "iuf"
_ITEM_BYTES = 8
_IRREGULAR = (
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
)

Voxels = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Reading:
    """One prediction, read or not.

    Attributes:
        outcome: `scored` where `value` can be scored.
        value: a float, or an array of the expected shape, in Fortran order as stored, float32 or float64.
        detail: for the participant, as in "127 slices written, 128 expected"; empty where scored.
    """

    outcome: Outcome
    value: float | Voxels | None = None
    detail: str = ""

    @property
    def number(self) -> float:
        """The score of a case that was scored; ValueError for anything else."""
        if not isinstance(self.value, float):
            raise ValueError(f"this prediction is {self.outcome} and holds no score of a case")
        return self.value

    @property
    def voxels(self) -> Voxels:
        """The scores of the voxels of a case that was scored; ValueError for anything else."""
        if not isinstance(self.value, np.ndarray):
            raise ValueError(f"this prediction is {self.outcome} and holds no scores of voxels")
        return self.value


class _Bad(Exception):
    def __init__(self, outcome: Outcome, detail: str) -> None:
        super().__init__(detail)
        self.reading = Reading(outcome, None, detail)


def read_case_score(directory: Path, file_name: str) -> Reading:
    """The score of one case: the first line of a text file, one number with a decimal point.

    Raises:
        OSError: the folder or the disk fails, which is our fault.
    """
    try:
        with _opened(directory, file_name, _TEXT_BYTES) as file:
            return Reading(Outcome.SCORED, _number(file.read(_LINE_BYTES + 1)))
    except _Bad as bad:
        return bad.reading


def read_voxel_scores(directory: Path, file_name: str, shape: tuple[int, ...]) -> Reading:
    """The scores of all voxels of one case, from a NIfTI file of one part.

    Raises:
        OSError: the folder or the disk fails, which is our fault.
    """
    limit = math.prod(shape) * _ITEM_BYTES * 1001 // 1000 + 2 * _OFFSET_BYTES
    try:
        with _opened(directory, file_name, limit) as file:
            values = _volume(_unpacked(file, file_name), shape)
            _check_finite(values)
            return Reading(Outcome.SCORED, values)
    except _Bad as bad:
        return bad.reading
    except GzipError as error:
        return Reading(Outcome.UNREADABLE, None, str(error))


@contextmanager
def _opened(directory: Path, name: str, limit: int) -> Iterator[io.FileIO]:
    """A regular file of the folder, without following, waiting for or waking anything."""
    folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        file = _open_at(folder, name)
    finally:
        os.close(folder)
    with file:
        _check_regular(os.fstat(file.fileno()))
        size = os.fstat(file.fileno()).st_size
        if size > limit:
            raise _Bad(
                Outcome.UNREADABLE, f"{size_text(size)} large, at most {size_text(limit)} are possible"
            )
        yield file


def _open_at(folder: int, name: str) -> io.FileIO:
    if "/" in name or "\0" in name or name in ("", ".", ".."):
        raise ValueError(f"{name!r} is not the name of a file in a folder")
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    try:
        _check_regular(os.stat(name, dir_fd=folder, follow_symlinks=False))
        return io.FileIO(os.open(name, flags, dir_fd=folder), "r")
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENAMETOOLONG):
            raise _Bad(Outcome.MISSING, "not written") from error
        if error.errno in (errno.EACCES, errno.EPERM):
            raise _Bad(Outcome.UNREADABLE, "its permissions forbid reading it") from error
        if error.errno in (errno.ELOOP, errno.ENXIO):
            raise _Bad(Outcome.UNREADABLE, "not a regular file") from error
        raise


def _check_regular(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = next((text for test, text in _IRREGULAR if test(status.st_mode)), "a device")
        raise _Bad(Outcome.UNREADABLE, f"{kind} instead of a regular file")
    if status.st_nlink != 1:
        raise _Bad(Outcome.UNREADABLE, "a hard link instead of a file of its own")


def _number(head: bytes) -> float:
    line = head.split(b"\n", 1)[0].strip()
    if _NOT_FINITE.fullmatch(line):
        raise _Bad(Outcome.NOT_FINITE, f"the score is {line.decode('ascii')}")
    if not _NUMBER.fullmatch(line) or len(head.split(b"\n", 1)[0]) > _LINE_BYTES:
        raise _Bad(Outcome.UNREADABLE, _what_is_wrong(line))
    value = float(line)
    if not math.isfinite(value):
        raise _Bad(Outcome.NOT_FINITE, f"the score {_quoted(line)} is too large for a number")
    return value


def _what_is_wrong(line: bytes) -> str:
    if not line:
        return "the first line is empty, one number expected"
    if _COMMA.fullmatch(line):
        point = line.decode("ascii").replace(",", ".")
        return f"{_quoted(line)} has a decimal comma, write {point[:40]} with a point"
    return f"the first line is {_quoted(line)}, one number expected"


def _quoted(line: bytes) -> str:
    text = ascii(line.decode("latin-1"))
    return text if len(text) <= 42 else f"{text[:40]}…"


def _unpacked(file: io.FileIO, name: str) -> "io.BufferedReader[Any]":
    buffered = io.BufferedReader(file)
    packed = buffered.peek(2).startswith(MAGIC)
    if name.endswith(".gz") and not packed:
        raise _Bad(Outcome.UNREADABLE, "not compressed although its name ends in .gz")
    if packed and not name.endswith(".gz"):
        raise _Bad(Outcome.UNREADABLE, "compressed although its name does not end in .gz")
    return io.BufferedReader(Gunzip(buffered)) if packed else buffered


def _volume(stream: "io.BufferedReader[Any]", shape: tuple[int, ...]) -> Voxels:
    header, length = _header(stream)
    dtype = _dtype(header)
    _check_shape(_shape(header), shape)
    offset = _offset(header, length)
    _read_exactly(stream, bytearray(offset - length), "its header")
    raw = np.empty(math.prod(shape), dtype)
    _read_exactly(stream, raw.view(np.uint8), "its voxels")
    if stream.read(1):
        raise _Bad(Outcome.UNREADABLE, "longer than its header says")
    return _scaled(raw, header).reshape(shape, order="F")


def _header(stream: "io.BufferedReader[Any]") -> tuple[Any, int]:
    start = stream.read(4)
    sizes = {order: int.from_bytes(start, name) for order, name in _ORDERS.items()}
    order = next((order for order, size in sizes.items() if size in _HEADER_BYTES), None)
    if len(start) < 4 or order is None:
        raise _Bad(Outcome.UNREADABLE, "not a NIfTI file")
    length = sizes[order]
    block = bytearray(length)
    block[:4] = start
    _read_exactly(stream, memoryview(block)[4:], "its header")
    kind: Any = Nifti1Header if length == 348 else Nifti2Header
    try:
        header = kind(bytes(block), order, check=False)
    except (HeaderDataError, WrapStructError, ValueError) as error:
        raise _Bad(Outcome.UNREADABLE, "not a NIfTI file") from error
    if header["magic"].item()[:3] not in (b"n+1", b"n+2"):
        raise _Bad(Outcome.UNREADABLE, "not a NIfTI file of one part (.nii or .nii.gz)")
    return header, length


def _dtype(header: Any) -> np.dtype[Any]:
    try:
        dtype: np.dtype[Any] = np.dtype(header.get_data_dtype())
    except (HeaderDataError, KeyError):
        dtype = np.dtype("V")
    if dtype.kind not in _DTYPES or dtype.itemsize > _ITEM_BYTES:
        name = "unknown or no number" if dtype.kind == "V" else str(dtype)
        raise _Bad(Outcome.UNREADABLE, f"its data type is {name}, write float32")
    return dtype


def _shape(header: Any) -> tuple[int, ...]:
    count = int(header["dim"][0])
    if not 1 <= count <= 7:
        raise _Bad(Outcome.UNREADABLE, "its header has no possible number of axes")
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
        detail = f"{written[axis]} {what} written, {expected[axis]} expected"
    else:
        detail = f"shape {_times(written)} written, {_times(expected)} expected"
    raise _Bad(Outcome.WRONG_SHAPE, detail)


def _times(shape: tuple[int, ...]) -> str:
    return " × ".join(str(length) for length in shape)


def _offset(header: Any, length: int) -> int:
    """Where the voxels start; 0 means right behind the header, as other readers take it."""
    smallest, offset = _HEADER_BYTES[length], float(header["vox_offset"])
    if offset == 0:
        return smallest
    if not smallest <= offset <= _OFFSET_BYTES or offset != int(offset):
        raise _Bad(Outcome.UNREADABLE, "its header says that the voxels start where they cannot")
    return int(offset)


def _read_exactly(stream: "io.BufferedReader[Any]", target: Any, what: str) -> None:
    view = memoryview(target)
    while view.nbytes:
        count = stream.readinto(view)
        if not count:
            raise _Bad(Outcome.UNREADABLE, f"cut short in {what}")
        view = view[count:]


def _scaled(raw: NDArray[Any], header: Any) -> Voxels:
    try:
        slope, inter = header.get_slope_inter()
    except HeaderDataError as error:
        raise _Bad(Outcome.UNREADABLE, "scl_slope and scl_inter of its header are not possible") from error
    with np.errstate(all="ignore"):
        if slope is not None and (slope, inter) != (1, 0):
            raw = apply_read_scaling(raw, slope, inter)
        small = raw.dtype.itemsize <= (4 if raw.dtype.kind == "f" else 2)
        return raw.astype(np.float32 if small else np.float64, copy=False)


def _check_finite(values: Voxels) -> None:
    """The extremes tell at no cost in memory; voxels are counted only where they fail."""
    with np.errstate(all="ignore"):
        if np.isfinite(values.min()) and np.isfinite(values.max()):
            return
    bad = int(values.size - np.count_nonzero(np.isfinite(values)))
    raise _Bad(Outcome.NOT_FINITE, f"{bad:,} of {values.size:,} voxels are NaN or infinite")
