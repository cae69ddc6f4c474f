"""A scan as it was found, before it is put on the challenge's grid, and what may be wrong with it."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Affine = NDArray[np.float64]

FEWEST = 8  # voxels along an axis
SAMPLED = 2**22  # voxels that are enough to know how values are spread
EMPTY = 0.2  # share of a stripped scan's voxels that have its lowest value, or more
MOST = 2**30  # voxels; as float32 these take 4 GiB


class Unusable(ValueError):
    """A file or series cannot be used; the message says why and what to do, without naming it."""


@dataclass(frozen=True)
class Raw:
    """`data`: float32 (i, j, k) in the file's units. `affine`: float64 (4, 4), voxel indices to millimetres
    towards right, anterior and superior. `modality`: CT or MR, None where the file doesn't say.
    """

    data: Floats
    affine: Affine
    modality: str | None = None


class Source(Protocol):
    """Where a scan is read from. `name` tells people which one it is, `stamp` changes when its files do."""

    @property
    def name(self) -> str: ...

    @property
    def stamp(self) -> str: ...

    def read(self) -> Raw:
        """The whole volume.

        Raises:
            Unusable: it is damaged, or not one volume with a known place in space.
        """
        ...


@dataclass(frozen=True)
class Problem:
    """What cannot be used, and why."""

    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


def check_shape(shape: tuple[int, ...]) -> None:
    """See that a volume is one, before anything of it is inflated.

    Raises:
        Unusable: it has not three dimensions, or is too small or large to be a scan.
    """
    if len(shape) != 3:
        raise Unusable(f"has {len(shape)} dimensions {shape}; split it, so that each file is one volume")
    if min(shape) < FEWEST:
        raise Unusable(f"has shape {shape}; a scan has at least {FEWEST} voxels along every axis")
    if int(np.prod(shape, dtype=object)) > MOST:
        raise Unusable(f"has shape {shape}, more than {MOST} voxels; resample it first")


def check_values(data: Floats, constant: bool = False) -> None:
    """See that the values are a picture of something; with `constant`, even one of nothing.

    Raises:
        Unusable: some are NaN or infinite, or all are equal.
    """
    low, high = float(data.min()), float(data.max())
    if not np.isfinite([low, high]).all():
        bad = data.size - int(np.count_nonzero(np.isfinite(data)))
        raise Unusable(f"{bad} of {data.size} voxels are NaN or infinite; export it again")
    if low == high and not constant:
        raise Unusable(f"all voxels are {low:g}; export it again, or leave it out")


def check_affine(affine: Affine) -> None:
    """See that voxels have a size and a place.

    Raises:
        Unusable: the matrix is not finite or not invertible.
    """
    steps = np.linalg.norm(affine[:3, :3], axis=0) if np.isfinite(affine).all() else np.zeros(3)
    if steps.min() <= 1e-3 or abs(np.linalg.det(affine[:3, :3])) < 1e-2 * np.prod(steps):
        raise Unusable("its header gives voxels no size or place in millimetres; export it again")


def thinned(data: Floats) -> Floats:
    """About four million of its voxels at most, evenly spread."""
    step = max(1, round((data.size / SAMPLED) ** (1 / 3)))
    return data[::step, ::step, ::step]


def is_stripped(data: Floats) -> bool:
    """Whether a good part of the scan has exactly its lowest value: what surrounded the anatomy is gone."""
    return float(np.mean(thinned(data) == data.min())) >= EMPTY
