"""Scores into [0, 1] by one fixed curve, learned in training.

A prediction must lie in [0, 1], and cases are ranked against each other: scaling by what else is in the
folder would make a score depend on its neighbours, and scaling by a case's own extremes would make cases
incomparable. The curve score / (score + scale) rises strictly and never reaches 1, unlike clipping, which
makes all high scores equal.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Squashing:
    """The curve that takes 0 to 0 and `scale` to 0.5."""

    scale: float

    @staticmethod
    def learn(normal_scores: ArrayLike, percentile: float = 99.9) -> "Squashing":
        """Take for `scale` a high percentile of the scores of normal scans."""
        return Squashing(max(float(np.percentile(np.asarray(normal_scores), percentile)), 1e-6))

    def __call__(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Squash scores of at least 0."""
        return scores / (scores + np.float32(self.scale))

    def one(self, score: float) -> float:
        """Squash a single score of at least 0."""
        return score / (score + self.scale)


@dataclass(frozen=True)
class SignedSquashing:
    """For scores of either sign, as negative log-likelihoods are: the curve that takes `centre` to 0.5.

    A score of `centre` + t · `scale` gets (1 + t / (1 + |t|)) / 2. Unlike a logistic curve it nears its ends
    so slowly that scores far above all of training, which float64 could no longer tell apart there, stay
    distinct.
    """

    centre: float
    scale: float

    @staticmethod
    def learn(normal_scores: ArrayLike, percentile: float = 99.9) -> "SignedSquashing":
        """Take for `centre` a high percentile of the scores of normal scans; their median gets 0.25."""
        median, high = np.percentile(np.asarray(normal_scores, np.float64), [50, percentile])
        return SignedSquashing(float(high), max(float(high - median), 1e-6))

    def one(self, score: float) -> float:
        """Squash a single score."""
        distance = (score - self.centre) / self.scale
        return (1 + distance / (1 + abs(distance))) / 2
