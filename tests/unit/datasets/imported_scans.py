"""Scans of nobody in particular, written as NIfTI and DICOM files as others write them."""

from collections.abc import Sequence
from pathlib import Path

import nibabel
import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid
from scipy import ndimage

SIDES = (20, 22, 21)
SPACING = (4.0, 3.5, 5.0)
UPRIGHT = np.diag([*SPACING, 1.0])


def body(seed: int, shape: Sequence[int] = SIDES, noise: float = 8.0) -> NDArray[np.float32]:
    """An ellipsoid of about 400 on 0 with fine and coarse detail, and noise; magnitudes as in MR."""
    rng = np.random.default_rng(seed)
    lines = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    radius = np.sqrt(sum((line / (0.7 + 0.05 * rng.random())) ** 2 for line in lines))
    detail = sum(_spots(rng, shape, width) for width in (2.0, 4.0))
    values = np.where(radius < 1, 400 + 90 * detail, 0) + rng.normal(0, noise, shape)
    return np.abs(values).astype(np.float32)


def _spots(rng: np.random.Generator, shape: Sequence[int], width: float) -> NDArray[np.float64]:
    made = ndimage.gaussian_filter(rng.standard_normal(shape), width)
    return made / made.std()


def hounsfield(seed: int, shape: Sequence[int] = SIDES) -> NDArray[np.float32]:
    """The same shape as soft tissue in air."""
    return (body(seed, shape, 0) / 8 + np.where(body(seed, shape, 0) > 0, 0, -1000)).astype(np.float32)


def lesion(seed: int, shape: Sequence[int] = SIDES) -> NDArray[np.uint8]:
    """A ball near the middle."""
    where = np.random.default_rng(seed).uniform(-2, 2, 3) + (np.array(shape) - 1) / 2
    grid = np.indices(shape) - where[:, None, None, None]
    return (np.square(grid).sum(axis=0) < 9).astype(np.uint8)


def nifti(path: Path, data: NDArray[np.generic], affine: NDArray[np.float64] = UPRIGHT) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(data, affine), path)
    return path


def dicom(
    folder: Path,
    data: NDArray[np.generic],
    patient: str = "one",
    description: str = "portal venous",
    step: Sequence[float] = (0, 0, 2.5),
    uid: str | None = None,
    **other: object,
) -> list[Path]:
    """A CT series of `data` (columns, rows, slices) in HU, one file a slice, names in no order."""
    folder.mkdir(parents=True, exist_ok=True)
    uid, paths = uid or generate_uid(), []
    names = np.random.default_rng(1).permutation(data.shape[2])
    for index in range(data.shape[2]):
        one = pydicom.Dataset()
        one.SOPClassUID, one.SOPInstanceUID = CTImageStorage, generate_uid()
        one.PatientID, one.SeriesInstanceUID, one.SeriesDescription = patient, uid, description
        one.StudyInstanceUID = generate_uid(entropy_srcs=[patient])
        one.Modality, one.InstanceNumber = "CT", index + 1
        one.Rows, one.Columns = data.shape[1], data.shape[0]
        one.PixelSpacing = [3.5, 4.0]
        one.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        one.ImagePositionPatient = [
            float(start + index * s) for start, s in zip((-7, 11, 30), step, strict=True)
        ]
        one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
        one.BitsAllocated, one.BitsStored, one.HighBit, one.PixelRepresentation = 16, 16, 15, 0
        one.RescaleSlope, one.RescaleIntercept = "1", "-1024"
        one.PixelData = (data[:, :, index].T + 1024).astype("<u2").tobytes()
        for name, value in other.items():
            setattr(one, name, value)
        one.file_meta = FileMetaDataset()
        one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        one.file_meta.MediaStorageSOPClassUID = one.SOPClassUID
        one.file_meta.MediaStorageSOPInstanceUID = one.SOPInstanceUID
        paths.append(folder / f"IM{names[index]:04d}")
        one.save_as(paths[-1], enforce_file_format=True)
    return paths
