"""Counting found lesions: predicted against true objects (Zimmerer, thesis, section 4.2.2).

The scores are cut at a threshold chosen on the toy cases by best Dice, and what remains falls into connected
components. A predicted object hits a true one if its centre of mass lies in it and their volumes differ by
at most a factor of 2. Counts add up over cases; the figure is the F1 of their sums.
"""

from dataclasses import dataclass
from itertools import product
from math import isfinite, prod
from typing import Any

import cc3d
import numpy as np
from numpy.typing import NDArray

from scoring.average_precision import UndefinedMetric

ObjectCounts = tuple[int, int, int]

# Spacings are float32 in NIfTI headers: their rounding must not decide whether an object is large enough.
_TOLERANCE = 1e-6


@dataclass(frozen=True)
class ObjectRule:
    """What counts as an object, and as a hit.

    Predicted objects below `min_volume_mm3` are noise and count neither as found nor as false. True objects
    always count: the thesis removes only predictions, with a minimum of half its smallest true object.
    `spacing_mm` is the size of a voxel along the axes of the arrays. The volumes of a hit differ by at most
    `factor`, inclusive. Raises `ValueError` on numbers that are not finite or out of range.
    """

    min_volume_mm3: float
    spacing_mm: tuple[float, float, float]
    factor: float = 2.0

    def __post_init__(self) -> None:
        if not (isfinite(self.min_volume_mm3) and self.min_volume_mm3 >= 0):
            raise ValueError(f"a minimum volume of {self.min_volume_mm3} mm³ is none")
        if len(self.spacing_mm) != 3 or not all(isfinite(size) and size > 0 for size in self.spacing_mm):
            raise ValueError(f"{self.spacing_mm} is not the size of a voxel in mm")
        if not (isfinite(self.factor) and self.factor >= 1):
            raise ValueError(f"volumes cannot differ by a factor of {self.factor}")

    def large_enough(self, voxels: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which predicted objects of that many voxels are no noise."""
        least = self.min_volume_mm3 / prod(self.spacing_mm)
        return np.asarray(voxels >= least * (1 - _TOLERANCE))


def count_objects(predicted: NDArray[np.bool_], truth: NDArray[np.bool_], rule: ObjectRule) -> ObjectCounts:
    """Found, false and overlooked objects of one case.

    `predicted` and `truth` (x, y, z) boolean. Voxels that touch, also at a corner, are one object. A centre
    of mass on the border of a true object lies in it; in the hole of a ring it does not. As voxels that share
    a point are one object, it lies in at most one; of several predicted objects that hit the same true one,
    one counts as found and the others as false. Raises `ValueError` on other dtypes and shapes.

    Memory is that of the foreground's bounding boxes, five bytes a voxel, and one box at a time but for the
    labels of the true objects.
    """
    _check(predicted, truth)
    voxels, sums = _measure(*_label(predicted))
    labels, corner = _label(truth)
    true_voxels, _ = _measure(labels, corner)
    kept = rule.large_enough(voxels)
    voxels, sums = voxels[kept], sums[kept]
    target = _object_at(labels, sums - voxels[:, None] * corner, voxels)
    # The object 0, which is none, has no voxels: nothing is like it.
    hit = _alike(voxels, np.append(0, true_voxels)[target], rule.factor)
    found = np.unique(target[hit]).size
    return found, len(voxels) - found, len(true_voxels) - found


def f1(found: int, false: int, overlooked: int) -> float:
    """F1 of objects, higher is better: 2 found / (2 found + false + overlooked), thesis eq. 2.9.

    Raises `UndefinedMetric` when there is no object at all, neither true nor predicted; `ValueError` on
    negative counts.
    """
    if min(found, false, overlooked) < 0:
        raise ValueError("objects are counted from 0")
    if found + false + overlooked == 0:
        raise UndefinedMetric("F1 needs at least one object, true or predicted")
    return 2 * found / (2 * found + false + overlooked)


def _check(predicted: NDArray[Any], truth: NDArray[Any]) -> None:
    for name, array in (("prediction", predicted), ("truth", truth)):
        if array.dtype != np.bool_ or array.ndim != 3:
            raise ValueError(f"a {name} is boolean with 3 axes, not {array.dtype} of {array.shape}")
    if predicted.shape != truth.shape:
        raise ValueError(f"{predicted.shape} predicted voxels do not match {truth.shape} true ones")


def _label(mask: NDArray[np.bool_]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Objects from 1 in the foreground's bounding box, and the box's first corner (3,)."""
    box = _bounding_box(mask)
    inside = mask[box]
    # A layer of background at the far end: in thin arrays cc3d expects fewer labels than there can be.
    padded = np.zeros([size + 1 for size in inside.shape], dtype=np.bool_, order="F")
    padded[tuple(slice(size) for size in inside.shape)] = inside
    labels = cc3d.connected_components(padded, connectivity=26, binary_image=True)
    return labels, np.array([side.start for side in box], dtype=np.int64)


def _bounding_box(mask: NDArray[np.bool_]) -> tuple[slice, slice, slice]:
    sides = [slice(None)] * 3
    # From the slowest axis of a file to the fastest: each one narrows what the next has to read.
    for axis in (2, 1, 0):
        others = tuple(other for other in range(3) if other != axis)
        used = np.flatnonzero(mask[tuple(sides)].any(axis=others))
        if used.size == 0:
            return slice(0, 0), slice(0, 0), slice(0, 0)
        sides[axis] = slice(int(used[0]), int(used[-1]) + 1)
    return sides[0], sides[1], sides[2]


def _measure(labels: NDArray[Any], corner: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Voxels (n,) of each object, and the sums of their places in the whole array (n, 3)."""
    found = cc3d.statistics(labels, no_slice_conversion=True)
    voxels = found["voxel_counts"][1:].astype(np.int64)
    # A sum below 2**53 survives the division: whole numbers leave no doubt on which side of a border it is.
    sums = np.rint(found["centroids"][1:] * voxels[:, None]).astype(np.int64)
    return voxels, sums + voxels[:, None] * corner


def _object_at(labels: NDArray[Any], sums: NDArray[np.int64], voxels: NDArray[np.int64]) -> NDArray[np.int64]:
    """The objects (n,) at the places `sums` / `voxels`, within `labels` or not; 0 where there is none."""
    # Voxel i spans [i - 1/2, i + 1/2], its borders included: on a border, two touch the place.
    size = voxels[:, None]
    first, last = -((size - 2 * sums) // (2 * size)), (2 * sums + size) // (2 * size)
    at = np.zeros(len(voxels), dtype=np.int64)
    for corner in product((0, 1), repeat=3):
        # Outside is as the far end, by -1 too: background, for `_label` leaves a layer of it there.
        place = np.clip(np.where(corner, last, first), -1, np.array(labels.shape) - 1)
        at = np.maximum(at, labels[tuple(place.T)])
    return at


def _alike(one: NDArray[np.int64], other: NDArray[np.int64], factor: float) -> NDArray[np.bool_]:
    return np.asarray(np.maximum(one, other) <= factor * np.minimum(one, other))
