"""Receiver operating characteristic: what the true positives cost in false ones (thesis, section 2.2.1).

A threshold calls positive what scores at least as high; items of equal score stand or fall together.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scoring.average_precision import UndefinedMetric, counts_by_score


def auroc(labels: ArrayLike, scores: ArrayLike) -> float:
    """Area under the ROC curve of real-valued scores; higher is better, 0.5 is chance.

    `labels` (n,) of 0 and 1 or of booleans, `scores` (n,) taken as float64, higher meaning more abnormal.
    Raises `UndefinedMetric` when all labels are alike, `NotFinite` on NaN and infinite scores, `ValueError`
    on other labels and on shapes.
    """
    return auroc_of_counts(*counts_by_score(labels, scores))


def auroc_of_counts(positives: NDArray[np.int64], negatives: NDArray[np.int64]) -> float:
    """Area under the ROC curve from how often each score occurs; higher is better.

    `positives` and `negatives` (levels,) count the positive and negative items at each level, from the lowest
    score to the highest. It is the share of pairs of a positive and a negative that are in the right order,
    a tie counting half, in whole numbers up to the last division. Raises `UndefinedMetric` when either class
    is absent.
    """
    _both_classes(positives, negatives, "AUROC")
    used = np.flatnonzero(positives)
    at = positives[used].tolist()
    # Twice the negatives below, plus those in a tie: twice the pairs won. Python's integers never overflow.
    beaten = (2 * np.cumsum(negatives) - negatives)[used].tolist()
    won = sum(count * pairs for count, pairs in zip(at, beaten, strict=True))
    return float(won / (2 * int(positives.sum()) * int(negatives.sum())))


def false_positive_rate(labels: ArrayLike, scores: ArrayLike, true_positive_rate: float = 0.95) -> float:
    """The smallest false-positive rate at which a true-positive rate is reached; lower is better.

    The minimum is over the thresholds between scores: nothing is interpolated (FPR@0.95TPR, thesis, section
    4.1.5). `labels`, `scores` and errors as `auroc`; `ValueError` also unless 0 < `true_positive_rate` <= 1.
    """
    return false_positive_rate_of_counts(*counts_by_score(labels, scores), true_positive_rate)


def false_positive_rate_of_counts(
    positives: NDArray[np.int64], negatives: NDArray[np.int64], true_positive_rate: float = 0.95
) -> float:
    """`false_positive_rate` from how often each score occurs, lowest score first; lower is better."""
    if not 0 < true_positive_rate <= 1:
        raise ValueError(f"a true-positive rate of {true_positive_rate} is not in (0, 1]")
    _both_classes(positives, negatives, "a false-positive rate")
    found, wrong = np.cumsum(positives[::-1]), np.cumsum(negatives[::-1])
    # Dividing rounds 19/20 to the very float that 0.95 is; multiplying might not reach 19.
    first = np.argmax(found / found[-1] >= true_positive_rate)
    return float(wrong[first] / wrong[-1])


def _both_classes(positives: NDArray[np.int64], negatives: NDArray[np.int64], metric: str) -> None:
    for name, counts in (("positive", positives), ("negative", negatives)):
        if not counts.any():
            raise UndefinedMetric(f"{metric} needs at least one {name}")
