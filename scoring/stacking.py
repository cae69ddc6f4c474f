"""The voxel histograms of all cases of a submission as two stacks of counts, ready for the bootstrap's loops.

Average precision looks only at levels that a positive voxel has. Negatives at another level fall under the
next such level below: where no case has a positive, levels are merged, and nothing is lost.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoring.average_precision import UndefinedMetric
from scoring.histograms import LEVELS, VoxelHistogram

# 256 levels of 500 cases are half a megabyte a stack: both fit into a core's own cache.
BLOCK = 256


@dataclass(frozen=True, eq=False)
class StackedCounts:
    """Positives and negatives, both (blocks, cases, BLOCK), highest level first; zeros fill the end."""

    positives: NDArray[np.unsignedinteger[Any]]
    negatives: NDArray[np.unsignedinteger[Any]]


def stacked(histograms: Iterable[VoxelHistogram], longest_batch: int) -> StackedCounts:
    """The counts of all cases, of 32 bits if sums over `longest_batch` cases fit, otherwise of 64.

    20 volumes of 512³ voxels fit into 32 bits. Raises `UndefinedMetric` when no case has a positive voxel.
    """
    cases = list(histograms)
    used = _used_levels(cases)
    most = max(int(case.positives.sum() + case.negatives.sum()) for case in cases)
    kind = np.uint32 if most * longest_batch < 1 << 32 else np.uint64
    shape = (-(-used.size // BLOCK), len(cases), BLOCK)
    stack = StackedCounts(np.zeros(shape, kind), np.zeros(shape, kind))
    for number, case in enumerate(cases):
        stack.positives[:, number] = _blocks(case.positives[used], shape[0])
        stack.negatives[:, number] = _blocks(np.add.reduceat(case.negatives, used), shape[0])
    return stack


def _used_levels(cases: Sequence[VoxelHistogram]) -> NDArray[np.intp]:
    used = np.zeros(LEVELS, dtype=np.bool_)
    for case in cases:
        used |= case.positives > 0
    if not used.any():
        raise UndefinedMetric("no case has a positive voxel")
    return np.flatnonzero(used)


def _blocks(counts: NDArray[np.int64], blocks: int) -> NDArray[np.int64]:
    padded = np.zeros(blocks * BLOCK, dtype=np.int64)
    padded[: counts.size] = counts[::-1]
    return padded.reshape(blocks, BLOCK)
