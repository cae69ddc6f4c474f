"""Dice of thresholded voxel scores, from their counts (thesis, eq. 2.9 and section 4.2.2)."""

from math import isfinite

import numpy as np
from numpy.typing import NDArray

from scoring.average_precision import NotFinite, UndefinedMetric
from scoring.histograms import LEVELS, VoxelHistogram, level_of, threshold_of


def dice_by_level(histogram: VoxelHistogram) -> NDArray[np.float64]:
    """Dice at every threshold (LEVELS,), higher is better: level i calls what scores at least its value.

    2 TP / (2 TP + FP + FN) over all counted voxels. Raises `UndefinedMetric` when no voxel is positive: then
    no threshold could be any good, and calling nothing would be 0/0.
    """
    positives = int(histogram.positives.sum())
    if positives == 0:
        raise UndefinedMetric("Dice needs at least one positive")
    found = np.cumsum(histogram.positives[::-1])[::-1]
    called = found + np.cumsum(histogram.negatives[::-1])[::-1]
    dice: NDArray[np.float64] = 2 * found / (called + positives)
    return dice


def best_dice(histogram: VoxelHistogram) -> tuple[float, float]:
    """The best Dice over all thresholds, higher is better, and the threshold that reaches it.

    Of several that do, the highest: it calls the fewest voxels and is itself the score of a positive voxel.
    Raises `UndefinedMetric` when no voxel is positive.
    """
    dice = dice_by_level(histogram)
    level = LEVELS - 1 - int(np.argmax(dice[::-1]))
    return float(dice[level]), threshold_of(level)


def dice_at(histogram: VoxelHistogram, threshold: float) -> float:
    """Dice of the voxels that score at least `threshold`, higher is better.

    The threshold is chosen elsewhere, on the toy cases by `best_dice` say; above 1 it calls nothing. Raises
    `UndefinedMetric` when no voxel is positive, `NotFinite` on a NaN or infinite threshold.
    """
    if not isfinite(threshold):
        raise NotFinite("a threshold is NaN or infinite")
    dice = dice_by_level(histogram)
    # No score is above 1: nothing is called, and nothing found.
    return float(dice[level_of(threshold)]) if threshold <= 1 else 0.0
