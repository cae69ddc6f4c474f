"""Toy-like anomalies in held-out training scans: how far a training is, without a look at any hidden case."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score
from torch import Tensor

from reference_methods.common.deep.store import Slices

SCANS = 4  # at most, of those held out
RADIUS = (0.04, 0.16)  # of the side


@dataclass(frozen=True)
class Toys:
    """Held-out scans with a sphere each, then the same as they were, and masks.

    Each is (slices, 1, side, side).
    """

    scans: list[Tensor]
    masks: list[NDArray[np.bool_]]

    def figures(
        self, voxel_scores: Callable[[Tensor], Tensor], case_score: Callable[[Tensor], float]
    ) -> dict[str, float]:
        """Pixel and sample average precision; the functions get all slices of a scan."""
        maps = [voxel_scores(scan).cpu().numpy() for scan in self.scans]
        scores = [case_score(scan) for scan in self.scans]
        return {
            "pixel_ap": _average_precision(np.ravel(self.masks), np.ravel(maps)),
            "sample_ap": _average_precision([bool(mask.any()) for mask in self.masks], scores),
        }


def toys(slices: Slices, rng: np.random.Generator) -> Toys:
    """Put a sphere of one random intensity, as toy cases have, into copies of held-out scans."""
    normal = [slices.take(int(scan), slice(None)) for scan in slices.validation[:SCANS]]
    spheres = [_sphere(scan, rng) for scan in normal]
    abnormal = []
    for scan, sphere in zip(normal, spheres, strict=True):
        changed = scan.clone()
        changed.numpy()[sphere] = rng.uniform()
        abnormal.append(changed)
    return Toys([*abnormal, *normal], [*spheres, *(np.zeros_like(sphere) for sphere in spheres)])


def _sphere(scan: Tensor, rng: np.random.Generator) -> NDArray[np.bool_]:
    """An ellipsoid around a voxel of the body; its axes are one share of the scan's sides."""
    voxels = scan.numpy()
    inside = np.argwhere(voxels > 0.05)
    centre = inside[rng.integers(len(inside))] if len(inside) else np.array(voxels.shape) // 2
    radius = rng.uniform(*RADIUS)
    distance = np.zeros(voxels.shape, np.float32)
    for axis in (0, 2, 3):
        along = (np.arange(voxels.shape[axis]) - centre[axis]) / voxels.shape[axis]
        distance += np.square(along, dtype=np.float32).reshape([-1 if a == axis else 1 for a in range(4)])
    return np.asarray(distance <= max(radius, 1 / voxels.shape[-1]) ** 2)


def _average_precision(labels: object, scores: object) -> float:
    return float(average_precision_score(labels, scores))
