"""Toy-like anomalies in held-out training scans: how far a training is, without a look at any hidden case."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from reference_methods.common.deep.store import Slices

SCANS = 4  # at most, of those held out
SLICES = 64  # of a scan, about, evenly spaced: all 512 of an abdomen's would take tens of gigabytes
RADIUS = (0.04, 0.16)  # of the side


@dataclass(frozen=True)
class Toys:
    """Held-out scans with a sphere each, then the same as they were, and masks.

    Each is (slices, 1, side, side), of every n-th slice where there are many.
    """

    scans: list[Tensor]
    masks: list[NDArray[np.bool_]]

    def figures(
        self, voxel_scores: Callable[[Tensor], Tensor], case_score: Callable[[Tensor], float]
    ) -> dict[str, float]:
        """Pixel and sample average precision; the functions get all slices of a scan that are here."""
        maps = [voxel_scores(scan).float().cpu().numpy() for scan in self.scans]
        scores = [case_score(scan) for scan in self.scans]
        return {
            "pixel_ap": average_precision(self.masks, maps),
            "sample_ap": average_precision([bool(mask.any()) for mask in self.masks], scores),
        }


def toys(slices: Slices, rng: np.random.Generator) -> Toys:
    """Put a sphere of one random intensity, as toy cases have, into copies of held-out scans."""
    step = max(1, slices.per_scan // SLICES)
    normal = [slices.take(int(scan), slice(None, None, step)) for scan in slices.validation[:SCANS]]
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


def average_precision(labels: ArrayLike, scores: ArrayLike) -> float:
    """Sum over distinct scores of precision times what recall it adds; no positive label gives 0."""
    truth, height = np.ravel(labels).astype(bool), np.ravel(scores)
    order = np.argsort(-height, kind="stable")
    found = np.cumsum(truth[order])
    last = np.append(np.flatnonzero(np.diff(height[order])), len(order) - 1)  # of each run of equal scores
    precision = found[last] / (last + 1)
    return float(np.sum(precision * np.diff(found[last], prepend=0)) / max(found[-1], 1))
