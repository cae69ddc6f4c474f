"""NIfTI in and out. Files tell nothing but their values: blank header, fixed compression and times."""

import gzip
import os
import tempfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
from isal import isal_zlib
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from nibabel.wrapstruct import WrapStructError
from numpy.typing import DTypeLike, NDArray

COMPRESSION = 3
SCAN_COMPRESSION = 1  # scans are large and mostly noise: more effort would hardly shrink them
GZIP_WINDOW = 31  # zlib's way to ask for a gzip header; isal writes it without a time
LEVELS = 4096
SLICES = 16
GZIP_MAGIC = b"\x1f\x8b"
WRITTEN_AT = 1577836800  # 2020-01-01T00:00:00Z; one time for all, and late enough for zip archives


class VolumeError(ValueError):
    """A file is not a volume that can be read; the message names it and says why."""


@dataclass(frozen=True)
class Volume:
    """`data`: float32 (x, y, z). `affine`: float64 (4, 4), voxel indices to millimetres."""

    data: NDArray[np.float32]
    affine: NDArray[np.float64]


def read(path: Path) -> Volume:
    """Read a NIfTI file, compressed or not; the content tells, since files in storage have no suffix.

    Raises:
        VolumeError: not NIfTI, damaged, or not three-dimensional.
    """
    try:
        content = path.read_bytes()
        plain = gzip.decompress(content) if content.startswith(GZIP_MAGIC) else content
        image = nibabel.Nifti1Image.from_bytes(plain)
        data = np.asarray(image.get_fdata(dtype=np.float32, caching="unchanged"))
    except (
        OSError,
        EOFError,
        ValueError,
        zlib.error,
        ImageFileError,
        HeaderDataError,
        WrapStructError,
    ) as error:
        raise VolumeError(f"{path.name} cannot be read as NIfTI: {error}") from error
    if data.ndim != 3:
        raise VolumeError(f"{path.name} has {data.ndim} dimensions; a volume has 3")
    return Volume(data, np.asarray(image.affine, dtype=np.float64))


def write(path: Path, data: NDArray[np.generic], spacing_mm: Sequence[float], dtype: DTypeLike) -> None:
    """Write `data` (x, y, z) as `.nii.gz` of `dtype`; equal input gives equal bytes.

    The volume's middle is the origin, its axes point right, anterior and superior.
    """
    header = _blank(data.shape, spacing_mm, dtype)
    content = (
        header.binaryblock + b"\0" * 4 + np.asarray(data, dtype=header.get_data_dtype()).tobytes(order="F")
    )
    write_bytes(path, gzip.compress(content, COMPRESSION, mtime=0))


def _blank(shape: Sequence[int], spacing_mm: Sequence[float], dtype: DTypeLike) -> nibabel.Nifti1Header:
    affine = np.diag([*spacing_mm, 1.0])
    affine[:3, 3] = [-(size - 1) / 2 * step for size, step in zip(shape, spacing_mm, strict=True)]
    header = nibabel.Nifti1Header()
    header.set_data_dtype(dtype)
    header.set_data_shape(shape)
    header.set_qform(affine, code=1)
    header.set_sform(affine, code=1)
    header.set_xyzt_units("mm")
    header["magic"] = b"n+1"
    header["vox_offset"] = 352
    return header


def write_scan(path: Path, data: NDArray[np.float32], spacing_mm: Sequence[float]) -> None:
    """Write a finished scan, multiples of 1/4096 from 0 to 1, as `.nii.gz` of uint16 with a slope.

    Read back it is float32 as before, bit by bit: a slope that is a power of two is exact. A few slices are
    converted at a time.

    Raises:
        ValueError: values that are not such multiples.
    """
    header = _blank(data.shape, spacing_mm, np.uint16)
    header.set_slope_inter(1 / LEVELS, 0)
    packer = isal_zlib.compressobj(SCAN_COMPRESSION, wbits=GZIP_WINDOW)
    pieces = [packer.compress(header.binaryblock + b"\0" * 4)]
    for first in range(0, data.shape[2], SLICES):
        scaled = data[:, :, first : first + SLICES] * np.float32(LEVELS)
        stored = scaled.astype(np.uint16)
        if not np.array_equal(stored, scaled) or stored.max(initial=0) > LEVELS:
            raise ValueError(f"a scan's values are multiples of 1/{LEVELS} from 0 to 1; finalise it first")
        pieces.append(packer.compress(stored.tobytes(order="F")))
    write_bytes(path, b"".join([*pieces, packer.flush()]))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a whole file or nothing: under a temporary name, then renamed. Its folder is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.utime(temporary, (WRITTEN_AT, WRITTEN_AT))
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
