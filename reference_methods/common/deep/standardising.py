"""Intensities to zero mean and unit variance, by figures of the training scans: the same for every scan.

Scaling each scan by itself, as papers do, would make a case's scores depend on how large its anomaly is.
"""

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from reference_methods.common.deep.store import Slices

BODY = 0.03  # what is darker is background


@dataclass(frozen=True)
class Standardising:
    """Mean and standard deviation of the body in training scans, and how many of these are the most."""

    mean: float
    spread: float
    limit: float | None = None

    @staticmethod
    def learn(slices: Slices, limit: float | None = None) -> "Standardising":
        """Over the body's pixels of all training scans; a constant set has a spread of 1."""
        count, total, squares = 0, 0.0, 0.0
        for scan in slices.training:
            body = slices.values[scan].astype(np.float64)
            body = body[body > BODY]
            count, total, squares = count + body.size, total + body.sum(), squares + np.square(body).sum()
        mean = total / max(count, 1)
        spread = np.sqrt(max(squares / max(count, 1) - mean**2, 0.0))
        return Standardising(float(mean), float(spread) if spread > 1e-6 else 1.0, limit)

    def __call__(self, slices: Tensor) -> Tensor:
        """Values in standard deviations from the mean, clipped to ± `limit`."""
        scaled = (slices - self.mean) / self.spread
        return scaled if self.limit is None else scaled.clamp(-self.limit, self.limit)
