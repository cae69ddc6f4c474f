"""Scores into [0, 1] by one fixed curve, learned in training.

A prediction must lie in [0, 1], and cases are ranked against each other: scaling by what else is in the
folder would make a score depend on its neighbours, and scaling by a case's own extremes would make cases
incomparable. The curve score / (score + scale) rises strictly and never reaches 1, unlike clipping, which
makes all high scores equal.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Squashing:
    """The curve that takes 0 to 0 and `scale` to 0.5."""

    scale: float

    @staticmethod
    def learn(normal_scores: Sequence[float], percentile: float = 99.9) -> "Squashing":
        """Take for `scale` a high percentile of the scores of normal scans."""
        return Squashing(max(float(np.percentile(normal_scores, percentile)), 1e-6))

    def __call__(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Squash scores of at least 0."""
        return scores / (scores + np.float32(self.scale))

    def one(self, score: float) -> float:
        """Squash a single score of at least 0."""
        return score / (score + self.scale)
