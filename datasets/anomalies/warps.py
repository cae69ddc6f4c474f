"""Whole scans bent, stretched or turned: a coarse lattice of displacements and one pass over the volume.

A displacement points from a voxel to where its value comes from: in voxels, (3, a, b, c) at the nodes of a
lattice.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from datasets.anomalies.scene import Floats
from datasets.kernels import warping
from datasets.populations.subject import Subject

Vectors = NDArray[np.float64]
Shape = tuple[int, ...]
LINEAR = 2  # nodes along an axis that a linear displacement needs


def nodes(shape: Shape, counts: Sequence[int]) -> Vectors:
    """Where the lattice's nodes lie from the middle of the volume, in voxels, (3, a, b, c)."""
    lines = [
        np.linspace(-(size - 1) / 2, (size - 1) / 2, count) for size, count in zip(shape, counts, strict=True)
    ]
    return np.stack(np.meshgrid(*lines, indexing="ij"))


def linear(shape: Shape, matrix: NDArray[np.float64]) -> Vectors:
    """The displacement under which a place from the middle shows what lay at `matrix` (3, 3) times it."""
    moved: Vectors = np.tensordot(matrix - np.eye(3), nodes(shape, (LINEAR,) * 3), axes=1)
    return moved


def warped_scan(subject: Subject, displacement: Vectors, fill: float | None = None) -> Floats:
    """The subject's scan under the displacement, 0 outside the foreground of a stripped one."""
    image = warped(subject.image, displacement, fill)
    if subject.stripped:
        image[warped(subject.foreground.astype(np.float32), displacement, 0.0) < 0.5] = 0
    return image


def warped(image: Floats, displacement: Vectors, fill: float | None = None) -> Floats:
    """`image` under the displacement; `fill` is what lies beyond its border, None: the border's values."""
    result = np.empty(image.shape, dtype=np.float32)
    lattice = np.ascontiguousarray(np.moveaxis(displacement, 0, -1), dtype=np.float32)
    source = np.ascontiguousarray(image, dtype=np.float32)
    warping.warped(source, lattice, fill is not None, 0.0 if fill is None else fill, result)
    return result
