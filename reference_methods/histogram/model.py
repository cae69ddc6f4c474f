"""Histograms: what intensities a normal scan has, as a whole and at each place.

For a case: the histogram of its intensities, its distance from normal ones in a principal subspace and
outside of it. After AIRI's entry to MOOD 2022 (histogram, PCA, Mahalanobis distance), without its scaling
over the test folder; the distance is that of probabilistic PCA (Tipping and Bishop 1999, section 3), which
stays defined when there are fewer scans than bins.

For a voxel: how rare its intensity is among the training scans' voxels of the same block. The original scores
cases only, so this half is ours.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reference_methods.common import weights
from reference_methods.common.cases import Case
from reference_methods.common.smoothing import gaussian
from reference_methods.common.squashing import Squashing

CASE_BINS = 100
VOXEL_BINS = 32
BLOCKS = 16  # along each axis
SMOOTHING = 1 / 32  # sigma, as a share of the scan's side


def bins_of(data: NDArray[np.float32], bins: int) -> NDArray[np.int64]:
    """Which of `bins` equal parts of [0, 1] a value is in; values outside go to the first and the last."""
    index: NDArray[np.int64] = np.clip(data * bins, 0, bins - 1).astype(np.int64)
    return index


def features_of(data: NDArray[np.float32]) -> NDArray[np.float64]:
    """Roots of the shares of voxels per bin (CASE_BINS,); the root evens out the noise of counts."""
    counts = np.bincount(bins_of(data, CASE_BINS).ravel(), minlength=CASE_BINS)
    features: NDArray[np.float64] = np.sqrt(counts / data.size)
    return features


def blocks_of(shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Which block of the grid a voxel is in (x, y, z), numbered from 0."""
    axes = [np.arange(length) * BLOCKS // length for length in shape]
    x, y, z = np.meshgrid(*axes, indexing="ij", sparse=True)
    return (x * BLOCKS + y) * BLOCKS + z


@dataclass(frozen=True)
class Subspace:
    """Principal components (k, bins) of normal features, their variances (k,), and one for all other axes."""

    mean: NDArray[np.float64]
    components: NDArray[np.float64]
    variances: NDArray[np.float64]
    rest: float

    def distance(self, features: NDArray[np.float64]) -> float:
        """Mahalanobis distance from the mean under the covariance of probabilistic PCA."""
        centred = features - self.mean
        inside = self.components @ centred
        outside = float(centred @ centred - inside @ inside)
        return float(np.sqrt(np.sum(inside**2 / self.variances) + max(outside, 0.0) / self.rest))


@dataclass(frozen=True)
class Rarity:
    """Surprise of an intensity at a place: minus log of its share among training voxels (blocks, bins)."""

    surprise: NDArray[np.float32]

    def of(self, data: NDArray[np.float32]) -> NDArray[np.float32]:
        """Smoothed surprise (x, y, z), at least 0."""
        return gaussian(
            self.surprise[blocks_of(data.shape), bins_of(data, VOXEL_BINS)], SMOOTHING * max(data.shape)
        )


@dataclass(frozen=True)
class Model:
    """Subspace and rarity with the curves that bring them into [0, 1]."""

    subspace: Subspace
    rarity: Rarity
    case_curve: Squashing
    voxel_curve: Squashing

    def case_score(self, case: Case) -> float:
        """See `Subspace.distance`."""
        return self.case_curve.one(self.subspace.distance(features_of(case.data)))

    def voxel_scores(self, case: Case) -> NDArray[np.float32]:
        """See `Rarity.of`."""
        return self.voxel_curve(self.rarity.of(case.data))

    def save(self, path: Path) -> None:
        """Write all figures to an .npz."""
        weights.save(
            path,
            {
                **vars(self.subspace),
                "surprise": self.rarity.surprise,
                "case_scale": self.case_curve.scale,
                "voxel_scale": self.voxel_curve.scale,
            },
        )

    @staticmethod
    def load(path: Path) -> "Model":
        """Read what `save` wrote."""
        stored = weights.load(path)
        subspace = Subspace(stored["mean"], stored["components"], stored["variances"], float(stored["rest"]))
        rarity = Rarity(stored["surprise"].astype(np.float32))
        curves = (Squashing(float(stored[name])) for name in ("case_scale", "voxel_scale"))
        return Model(subspace, rarity, *curves)
