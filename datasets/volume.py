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
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from nibabel.wrapstruct import WrapStructError
from numpy.typing import DTypeLike, NDArray

COMPRESSION = 3
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
    affine = np.diag([*spacing_mm, 1.0])
    affine[:3, 3] = [-(size - 1) / 2 * step for size, step in zip(data.shape, spacing_mm, strict=True)]
    image = nibabel.Nifti1Image(np.asarray(data, dtype=dtype), affine)
    image.header.set_xyzt_units("mm")
    image.set_qform(affine, code=1)
    image.set_sform(affine, code=1)
    write_bytes(path, gzip.compress(image.to_bytes(), COMPRESSION, mtime=0))


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
