"""Which slices of a volume are worth a look, and how they lie on a page.

Axes are (x, y, z) towards right, anterior and superior. On a page anterior or superior is up; the right of
the person is at the right, or anterior is, where one looks from the side.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]
Mask = NDArray[np.bool_]
PLANES = {2: "axial", 1: "coronal", 0: "sagittal"}
DARK = 0.1  # what is darker shows no anatomy worth a look
MOST_PIXELS = 256  # of a picture's longer side
T = TypeVar("T", bound=np.generic)


@dataclass(frozen=True)
class Slice:
    """The slice `index` across `axis`."""

    axis: int
    index: int

    @property
    def plane(self) -> str:
        return PLANES[self.axis]

    def of(self, volume: NDArray[T]) -> NDArray[T]:
        """Its voxels as rows from the top."""
        return np.rot90(np.take(volume, self.index, axis=self.axis))


def middle(shape: Sequence[int]) -> list[Slice]:
    """The middle slices, axial first."""
    return [Slice(axis, shape[axis] // 2) for axis in PLANES]


def through(mask: Mask) -> list[Slice]:
    """Across each axis the slice that holds most of the mask; the middle ones for an empty mask."""
    if not mask.any():
        return middle(mask.shape)
    return [Slice(axis, int(np.argmax(_along(mask, axis)))) for axis in PLANES]


def most_changed(before: Floats, after: Floats) -> Slice:
    """The slice in which most of the anatomy changed, and most; axial if nothing did.

    The air around a body does not count: there may be much of it.
    """
    axis, means = max(_means(before, after), key=lambda one: float(one[1].max()))
    return Slice(axis, int(np.argmax(means)))


@dataclass(frozen=True)
class Grid:
    """The voxels of a volume, and how large its slices are shown: all of them to one scale."""

    shape: tuple[int, ...]
    spacing_mm: tuple[float, ...]

    def isotropic(self, pixels: Bytes, where: Slice) -> Bytes:
        """The picture (rows, columns, 3) of a slice with square pixels, the longest side at most 256."""
        wide, tall = (max(round(side * self._scale), 1) for side in self._sides(where))
        if (tall, wide) == pixels.shape[:2]:
            return pixels
        how = Image.Resampling.BOX if wide < pixels.shape[1] else Image.Resampling.BICUBIC
        return np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).resize((wide, tall), how))

    @property
    def _scale(self) -> float:
        """Pixels a millimetre."""
        longest = max(size * step for size, step in zip(self.shape, self.spacing_mm, strict=True))
        return min(max(self.shape), MOST_PIXELS) / longest

    def _sides(self, where: Slice) -> list[float]:
        """Width and height in millimetres."""
        return [self.shape[axis] * self.spacing_mm[axis] for axis in range(3) if axis != where.axis]


def _along(mask: Mask, axis: int) -> NDArray[np.int64]:
    others = tuple(other for other in range(3) if other != axis)
    counted: NDArray[np.int64] = np.count_nonzero(mask, axis=others)
    return counted


def _means(before: Floats, after: Floats) -> list[tuple[int, NDArray[np.float64]]]:
    """The mean change of each slice across each axis; a plane at a time, since volumes may be large."""
    across = np.zeros(before.shape[0])
    summed = np.zeros(before.shape[1:])
    for index, (one, other) in enumerate(zip(before, after, strict=True)):
        change = np.where(np.maximum(one, other) < DARK, 0, np.abs(other - one))
        across[index] = change.mean()
        summed += change / len(before)
    return [(2, summed.mean(axis=0)), (1, summed.mean(axis=1)), (0, across)]
