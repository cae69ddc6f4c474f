"""Scans for methods to learn from: a bright ball in a dark box, a little different each time."""

from pathlib import Path

import nibabel
import numpy as np
from numpy.typing import NDArray

SHAPE = (20, 24, 22)
LESION = (slice(8, 12), slice(10, 14), slice(9, 13))
AFFINE = np.diag([2.0, 2.5, 3.0, 1.0])


def normal(generator: np.random.Generator) -> NDArray[np.float32]:
    """A ball of about 0.5 with texture on a background of exactly 0 (SHAPE)."""
    grid = np.indices(SHAPE) - np.array(SHAPE).reshape(3, 1, 1, 1) / 2
    ball = np.sqrt((grid**2).sum(axis=0)) < generator.uniform(8.5, 9.5)
    texture = generator.normal(0.5 + generator.normal(0, 0.02), 0.03, SHAPE)
    return np.where(ball, np.clip(texture, 0, 1), 0).astype(np.float32)


def abnormal(generator: np.random.Generator) -> NDArray[np.float32]:
    """The same with a bright cube at LESION."""
    data = normal(generator)
    data[LESION] += 0.35
    return data


def write(path: Path, data: NDArray[np.float32]) -> Path:
    """Write a scan as NIfTI with AFFINE."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.Nifti1Image(data, AFFINE).to_filename(path)
    return path


def read(path: Path) -> NDArray[np.float32]:
    """Values of a NIfTI file."""
    return np.asarray(nibabel.Nifti1Image.from_filename(path).dataobj, dtype=np.float32)


def write_training(folder: Path, generator: np.random.Generator, count: int = 12) -> None:
    """Training scans of both datasets, in the challenge's layout."""
    for dataset in ("brain", "abdom"):
        for number in range(count):
            write(folder / dataset / f"{dataset}_train" / f"{number:05}.nii.gz", normal(generator))
