"""Voxel statistics: how far a voxel is from what normal scans have at its place, in deviations.

The simplest use of aligned training scans, and the first thing a learned method must beat: see the z-score
baselines that PCA of normalised voxels extends (Saase, in Zimmerer, thesis, section 4.1).
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reference_methods.common import weights
from reference_methods.common.cases import Case
from reference_methods.common.smoothing import gaussian
from reference_methods.common.squashing import Squashing

SMOOTHING = 1 / 32  # sigma, as a share of the scan's side
WORST_SHARE = 0.05  # of all voxels, whose mean deviation is the score of the case


@dataclass(frozen=True)
class Atlas:
    """Mean and deviation of normal scans, both (x, y, z).

    `floor` is added to the deviation: where few scans agree by chance, a small difference is no anomaly.
    """

    mean: NDArray[np.float32]
    deviation: NDArray[np.float32]
    floor: float

    def distances(self, data: NDArray[np.float32]) -> NDArray[np.float32]:
        """Smoothed distance from the mean in deviations (x, y, z). Raises `ValueError` on another shape."""
        if data.shape != self.mean.shape:
            raise ValueError(f"a scan of {data.shape}, but the training scans were {self.mean.shape}")
        difference = np.abs(data - self.mean)
        return gaussian(difference / (self.deviation + np.float32(self.floor)), SMOOTHING * max(data.shape))


def of_case(distances: NDArray[np.float32]) -> float:
    """The score of a case: the mean distance of its most deviating voxels."""
    count = max(1, int(WORST_SHARE * distances.size))
    return float(np.partition(distances, -count, axis=None)[-count:].mean())


@dataclass(frozen=True)
class Model:
    """An atlas with the curves that bring its distances into [0, 1]."""

    atlas: Atlas
    case_curve: Squashing
    voxel_curve: Squashing

    def case_score(self, case: Case) -> float:
        """See `of_case`."""
        return self.case_curve.one(of_case(self.atlas.distances(case.data)))

    def voxel_scores(self, case: Case) -> NDArray[np.float32]:
        """See `Atlas.distances`."""
        return self.voxel_curve(self.atlas.distances(case.data))

    def save(self, path: Path) -> None:
        """Write all figures to an .npz."""
        curves = {"case_scale": self.case_curve.scale, "voxel_scale": self.voxel_curve.scale}
        weights.save(path, asdict(self.atlas) | curves)

    @staticmethod
    def load(path: Path) -> "Model":
        """Read what `save` wrote."""
        stored = weights.load(path)
        atlas = Atlas(
            stored["mean"].astype(np.float32), stored["deviation"].astype(np.float32), float(stored["floor"])
        )
        return Model(atlas, Squashing(float(stored["case_scale"])), Squashing(float(stored["voxel_scale"])))
