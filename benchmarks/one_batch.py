"""What the original takes for a batch, found on a part of one: so much for reading, so much for scoring."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.metrics import average_precision_score

from benchmarks.measure import cost
from benchmarks.original import voxels_of_batch
from benchmarks.volumes import write_batches


@dataclass(frozen=True)
class Original:
    """CPU seconds for each case of a batch, on one core."""

    reading: float
    scoring: float


def original(folder: Path, cases: int, size: int) -> Original:
    """Measured on `cases` dense float32 volumes of `size`³ and their labels, all `.nii.gz`.

    Sorting takes longer than in proportion, so whole batches would cost more than this says.
    """
    rng = np.random.default_rng(1)
    files = write_batches(folder, [("dense", "float32")], cases, size, rng)["dense", "float32"]
    reading, scoring = cost(stages, files.predictions, files.labels).value
    return Original(reading / cases, scoring / cases)


def stages(predictions: Sequence[str], labels: Sequence[str]) -> Callable[[], tuple[float, float]]:
    """CPU seconds of reading voxels and laying them end to end, and of their average precision."""

    def work() -> tuple[float, float]:
        start = time.process_time()
        abnormal, scores = voxels_of_batch(predictions, labels)
        read = time.process_time()
        average_precision_score(abnormal, scores)
        return read - start, time.process_time() - read

    return work
