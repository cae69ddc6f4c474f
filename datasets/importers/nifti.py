"""NIfTI files as hospitals and challenges have them."""

import zlib
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from nibabel.wrapstruct import WrapStructError

from datasets.importers.raw import Affine, Raw, Unusable, check_affine, check_shape, check_values

SUFFIXES = (".nii", ".nii.gz")
MILLIMETRES = {"meter": 1000.0, "micron": 0.001}
DAMAGED = (
    OSError, EOFError, ValueError, KeyError, OverflowError, zlib.error, ImageFileError, HeaderDataError,
    WrapStructError,
)  # fmt: skip


@dataclass(frozen=True)
class NiftiFile:
    """One file. `oriented`: its header must say which way its axes point; without, they are taken to point
    right, anterior and superior. `mask`: it may hold one value only.
    """

    path: Path
    name: str
    oriented: bool = True
    mask: bool = False

    @property
    def stamp(self) -> str:
        about = self.path.stat()
        return f"{self.path.absolute()} {about.st_size} {about.st_mtime_ns} {self.oriented}"

    def read(self) -> Raw:
        """See `Source.read`; trailing dimensions of one are dropped."""
        try:
            image = nibabel.Nifti1Image.from_filename(self.path, mmap=False)
            shape = _spatial(tuple(int(n) for n in image.shape))
            check_shape(shape)
            affine = self._affine(image)
            data = np.asarray(image.dataobj, dtype=np.float32).reshape(shape)
        except Unusable:
            raise
        except DAMAGED as error:
            raise Unusable(f"cannot be read as NIfTI: {_short(error)}; copy or export it again") from error
        check_values(data, constant=self.mask)
        return Raw(data, affine)

    def _affine(self, image: nibabel.Nifti1Image) -> Affine:
        header = image.header
        said = int(header["sform_code"]) > 0 or int(header["qform_code"]) > 0
        if not said and self.oriented:
            raise Unusable(
                "its header doesn't say which way its axes point (sform_code and qform_code are 0), so left "
                "could be right; convert it from the original again"
            )
        affine = np.array(image.affine if said else np.diag([*header.get_zooms()[:3], 1.0]), np.float64)
        affine[:3] *= MILLIMETRES.get(header.get_xyzt_units()[0], 1.0)
        check_affine(affine)
        return affine


def is_nifti(path: Path) -> bool:
    """By its name, as everywhere."""
    return path.name.endswith(SUFFIXES)


def _spatial(shape: tuple[int, ...]) -> tuple[int, ...]:
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    return shape


def _short(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:200]
