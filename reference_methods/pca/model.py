"""PCA: what of a scan the principal components of normal scans cannot tell.

After Saase's entry to MOOD 2020 (Zimmerer, thesis, section 4.1): voxels are normalised over the training
scans, a subspace is learned, and what lies outside of it is abnormal. Here the residual is divided by what it
usually is at its place, and smoothed, both of which help more than further components.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reference_methods.common import weights
from reference_methods.common.cases import Case
from reference_methods.common.smoothing import gaussian
from reference_methods.common.squashing import Squashing
from reference_methods.pca.grid import enlarged, factor_for, reduced

SMOOTHING = 1.0  # sigma, in voxels of the coarse grid
WORST_SHARE = 0.05  # of all voxels, whose mean residual is the score of the case


@dataclass(frozen=True)
class Subspace:
    """Mean (voxels,) of normal scans on the coarse grid, and orthonormal components (k, voxels)."""

    mean: NDArray[np.float32]
    components: NDArray[np.float32]

    def residual(self, scan: NDArray[np.float32]) -> NDArray[np.float32]:
        """What the components leave of a coarse scan, in its shape."""
        centred = scan.ravel() - self.mean
        left = centred - (self.components @ centred) @ self.components
        return left.reshape(scan.shape).astype(np.float32, copy=False)


@dataclass(frozen=True)
class Model:
    """A subspace, the usual size of residuals (x, y, z) on the coarse grid, and curves into [0, 1]."""

    subspace: Subspace
    usual: NDArray[np.float32]
    shape: tuple[int, ...]
    case_curve: Squashing
    voxel_curve: Squashing

    def distances(self, data: NDArray[np.float32]) -> NDArray[np.float32]:
        """Smoothed residuals over the usual ones, on the coarse grid. `ValueError` on another shape."""
        if data.shape != self.shape:
            raise ValueError(f"a scan of {data.shape}, but the training scans were {self.shape}")
        return self.of_coarse(reduced(data, factor_for(self.shape)))

    def of_coarse(self, scan: NDArray[np.float32]) -> NDArray[np.float32]:
        """As `distances`, of a scan on the coarse grid."""
        distances = np.abs(self.subspace.residual(scan)) / self.usual
        return gaussian(distances.astype(np.float32, copy=False), SMOOTHING)

    def case_score(self, case: Case) -> float:
        """See `of_case`."""
        return self.case_curve.one(of_case(self.distances(case.data)))

    def voxel_scores(self, case: Case) -> NDArray[np.float32]:
        """See `Model.distances`; linear between the voxels of the coarse grid."""
        distances = self.distances(case.data)
        return self.voxel_curve(enlarged(distances, factor_for(self.shape), self.shape))

    def save(self, path: Path) -> None:
        """Write all figures to an .npz."""
        curves = {"case_scale": self.case_curve.scale, "voxel_scale": self.voxel_curve.scale}
        weights.save(path, asdict(self.subspace) | {"usual": self.usual, "shape": self.shape} | curves)

    @staticmethod
    def load(path: Path) -> "Model":
        """Read what `save` wrote."""
        stored = weights.load(path)
        curves = (Squashing(float(stored[name])) for name in ("case_scale", "voxel_scale"))
        subspace = Subspace(stored["mean"], stored["components"])
        return Model(subspace, stored["usual"], tuple(map(int, stored["shape"])), *curves)


def of_case(distances: NDArray[np.float32]) -> float:
    """The score of a case: the mean of its largest residuals."""
    count = max(1, int(WORST_SHARE * distances.size))
    return float(np.partition(distances, -count, axis=None)[-count:].mean())
