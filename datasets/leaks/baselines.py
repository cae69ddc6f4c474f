"""What average precision scores reach that are no method: whatever is submitted has to beat them."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from datasets.leaks.findings import Baseline
from datasets.leaks.images import Image, flatness
from datasets.leaks.permutation import Floats
from scoring.average_precision import average_precision, average_precision_of_counts

LEVELS = 1024
FLATTEST = 0.2  # the range of standard deviations that flatness is counted over


class VoxelCounts:
    """How often each level of each score occurs in abnormal and in other voxels, over all cases together."""

    def __init__(self) -> None:
        names = ("intensity", "darkness", "flatness")
        self._counts = {name: np.zeros((2, LEVELS), np.int64) for name in names}

    def add(self, image: Image, mask: NDArray[np.bool_]) -> None:
        """Count one scan with its mask, both (x, y, z)."""
        scores = {
            "intensity": image,
            "darkness": np.where(image > 0, 1 - image, 0),
            "flatness": np.where(image > 0, 1 + flatness(image) / FLATTEST, 0),
        }
        for name, score in scores.items():
            level = np.clip(score * (LEVELS - 1), 0, LEVELS - 1).astype(np.int64)
            for row, chosen in enumerate((mask, ~mask)):
                self._counts[name][row] += np.bincount(level[chosen], minlength=LEVELS)

    def baselines(self, dataset: str) -> list[Baseline]:
        """The average precision of each score, or nothing where no voxel was abnormal."""
        positives, negatives = next(iter(self._counts.values())).sum(axis=1)
        if not positives:
            return []
        share = float(positives / (positives + negatives))
        return [
            Baseline(dataset, "voxel", name, average_precision_of_counts(*counts), share)
            for name, counts in self._counts.items()
        ]


def of_cases(dataset: str, scores: Mapping[str, Floats], labels: NDArray[np.bool_]) -> list[Baseline]:
    """The average precision of each score (cases,), in the better of its two directions."""
    share = float(labels.mean())
    return [
        Baseline(
            dataset, "case", name, max(average_precision(labels, sign * values) for sign in (1, -1)), share
        )
        for name, values in scores.items()
    ]
