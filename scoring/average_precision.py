"""Average precision: the area under the precision-recall steps, sum over thresholds of (R_n - R_{n-1}) P_n.

The definition is that of the MOOD challenge and of scikit-learn's `average_precision_score`, ties included:
cases of equal score stand or fall together.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


class UndefinedMetric(ValueError):
    """A metric has no value, for the reason given: nothing is positive, say."""


class NotFinite(ValueError):
    """A score is NaN or infinite, so it has no place in any order."""


def average_precision(labels: ArrayLike, scores: ArrayLike) -> float:
    """Average precision of real-valued scores, higher meaning more abnormal.

    `labels` (n,) of 0 and 1 or of booleans, `scores` (n,) taken as float64. Raises `UndefinedMetric` when no
    label is positive, `NotFinite` on NaN and infinite scores, `ValueError` on other labels and on shapes.
    """
    return average_precision_of_counts(*counts_by_score(labels, scores))


def average_precision_of_counts(positives: NDArray[np.int64], negatives: NDArray[np.int64]) -> float:
    """Average precision from how often each score occurs.

    `positives` and `negatives` (levels,) count the positive and negative items at each level, from the lowest
    score to the highest. Raises `UndefinedMetric` when all of `positives` are zero.
    """
    used = np.flatnonzero(positives)[::-1]
    if used.size == 0:
        raise UndefinedMetric("average precision needs at least one positive")
    found = np.cumsum(positives[::-1])[::-1][used]
    wrong = np.cumsum(negatives[::-1])[::-1][used]
    share = positives[used] / found[-1]
    return float(np.sum(share * (found / (found + wrong))))


def counts_by_score(labels: ArrayLike, scores: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many positives and negatives have each distinct score, both (levels,), lowest score first.

    `labels` (n,) of 0 and 1 or of booleans, `scores` (n,) taken as float64. Raises `NotFinite` on NaN and
    infinite scores, `ValueError` on other labels and on shapes.
    """
    positive = as_labels(np.asarray(labels))
    values = np.asarray(scores, dtype=np.float64)
    if values.shape != positive.shape:
        raise ValueError(f"{positive.shape} labels do not match {values.shape} scores")
    if not np.isfinite(values).all():
        raise NotFinite("a score is NaN or infinite")
    thresholds, level = np.unique(values, return_inverse=True)
    positives = np.bincount(level[positive], minlength=len(thresholds))
    negatives = np.bincount(level[~positive], minlength=len(thresholds))
    return positives, negatives


def as_labels(labels: NDArray[Any]) -> NDArray[np.bool_]:
    """Labels (n,) of 0 and 1 as booleans. Raises `ValueError` on other values and on other shapes."""
    if labels.ndim != 1:
        raise ValueError(f"labels have {labels.ndim} dimensions, 1 expected")
    positive: NDArray[np.bool_] = labels.astype(np.bool_)
    if not np.array_equal(positive, labels):
        raise ValueError("labels are 0 and 1 only")
    return positive
