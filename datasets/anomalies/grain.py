"""Noise made anew where an anomaly smoothed it away, in scans that came with their noise."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from datasets.anomalies.scene import Floats

WHITE = 0.895  # share of white noise's power that `_fine_power` sees
MARGIN = 8  # voxels that filters look beyond a slab
SLAB = 16


def remake_noise(
    before: Floats, after: Floats, where: NDArray[np.bool_], noise: float, rng: np.random.Generator
) -> None:
    """Add to `after`, in place, the noise that is lacking in the voxels `where`; all (x, y, z).

    It is lacking where `after` has less fine detail than noise of the deviation `noise` alone would have, and
    less than `before`.
    """
    for first in range(0, after.shape[0], SLAB):
        part = slice(first, first + SLAB)
        wide = slice(max(part.start - MARGIN, 0), part.stop + MARGIN)
        if where[part].any():
            usual = np.minimum(_fine_power(before[wide]), WHITE * noise**2)
            lost = np.sqrt(np.maximum(usual - _fine_power(after[wide]), 0) / WHITE)
            lost = lost[part.start - wide.start :][: after[part].shape[0]] * where[part]
            after[part] += lost * rng.standard_normal(lost.shape, dtype=np.float32)


def _fine_power(image: Floats) -> Floats:
    """The mean square, in a neighbourhood, of what a blur by one voxel takes away."""
    fine = image - ndimage.gaussian_filter(image, 1.0, mode="nearest")
    power: Floats = ndimage.gaussian_filter(np.square(fine), 2.0, mode="nearest")
    return power
