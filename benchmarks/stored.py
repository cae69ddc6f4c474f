"""Stored statistics of submissions as a challenge of 256³ volumes leaves them, without any volume.

Normal voxels score by a Beta distribution that piles up at 0, abnormal ones partly alike and partly high; how
large a part is the submission's skill. Lesions are of all sizes. Counts are drawn from the distribution over
the float16 levels, as if every voxel had been, so histograms are as dense as those of real scores.
"""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc

from scoring.histograms import LEVELS, VoxelHistogram

VOXELS = 256**3
LESION = 200, 200_000
"""Voxels of the smallest and of the largest lesion."""

HIGH = 2.0, 1.0
LOW = 0.25
"""Shapes of the Beta distributions: both of detected voxels, the first one of all others."""


@dataclass(frozen=True)
class Board:
    """So many submissions over the same cases, of which every second one is abnormal; a file a histogram."""

    folder: str
    submissions: int = 10
    cases: int = 542
    batch: int = 20
    seed: int = 0

    def labels(self) -> NDArray[np.int64]:
        """(cases,), 1 for abnormal."""
        return np.arange(self.cases) % 2

    def arrangement(self, number: int) -> list[list[int]]:
        """Batches of cases drawn anew for each number, abnormal ones spread evenly over them."""
        rng = np.random.default_rng([self.seed, number])
        drawn = [rng.permutation(np.flatnonzero(self.labels() == label)) for label in (1, 0)]
        order = [int(case) for pair in zip(*drawn, strict=True) for case in pair]
        return [order[start : start + self.batch] for start in range(0, self.cases, self.batch)]

    def histograms(self, submission: int) -> Iterator[VoxelHistogram]:
        """Those of all cases, read and decoded one by one."""
        for case in range(self.cases):
            yield VoxelHistogram.from_bytes(self._path(submission, case).read_bytes())

    def write(self) -> int:
        """Draw and store everything on two cores; the number of bytes stored."""
        with ProcessPoolExecutor(2) as pool:
            return sum(pool.map(self._write, range(self.submissions)))

    def _write(self, submission: int) -> int:
        rng = np.random.default_rng([self.seed, submission + 1000])
        skill = 0.9 - 0.7 * submission / self.submissions
        normal = _shares(LOW, 6 + 8 * skill)
        size = 0
        for case, label in enumerate(self.labels()):
            lesion = int(label * self._lesions()[case])
            detected = rng.beta(4 * skill, 4 * (1 - skill))
            abnormal = detected * _shares(*HIGH) + (1 - detected) * normal
            histogram = VoxelHistogram(
                rng.multinomial(lesion, abnormal), rng.multinomial(VOXELS - lesion, normal)
            )
            size += self._path(submission, case).write_bytes(histogram.to_bytes())
        return size

    def _lesions(self) -> NDArray[np.float64]:
        """Voxels of the lesion a case has if it is abnormal, (cases,): sizes of all orders equally often."""
        return np.exp(np.random.default_rng(self.seed).uniform(*np.log(LESION), self.cases))

    def _path(self, submission: int, case: int) -> Path:
        return Path(self.folder) / f"{submission}_{case}.histogram"


def levels_in_use(histograms: Iterator[VoxelHistogram]) -> int:
    """At how many levels some case has a positive voxel: those the bootstrap cannot do without."""
    used = np.zeros(LEVELS, dtype=np.bool_)
    for histogram in histograms:
        used |= histogram.positives > 0
    return int(np.count_nonzero(used))


def _shares(a: float, b: float) -> NDArray[np.float64]:
    """The share of a Beta distribution that float16 rounds to each level, (LEVELS,)."""
    values = np.arange(LEVELS, dtype=np.uint16).view(np.float16).astype(np.float64)
    edges = np.concatenate([[0.0], (values[1:] + values[:-1]) / 2, [1.0]])
    shares: NDArray[np.float64] = np.diff(betainc(a, b, edges))
    return shares / shares.sum()
