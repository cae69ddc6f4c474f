"""From cases to the figure of a task: batches of voxel histograms, and what an absent case scores."""

from collections.abc import Mapping, Sequence
from functools import reduce
from math import fsum
from operator import add
from typing import Literal

from scoring.average_precision import UndefinedMetric
from scoring.histograms import VoxelHistogram


def mean_over_batches(histograms: Mapping[str, VoxelHistogram], batches: Sequence[Sequence[str]]) -> float:
    """Mean of the batches' average precisions; each batch names its cases.

    Raises `KeyError` for a case without a histogram, `UndefinedMetric` for a batch without a positive voxel
    (the builder of a dataset prevents it; the message says which), `ValueError` when a batch is empty.
    """
    if not batches or not all(batches):
        raise ValueError("every arrangement has batches, and every batch has cases")
    return fsum(_batch(histograms, number, cases) for number, cases in enumerate(batches)) / len(batches)


def absent_case_score(label: int, policy: Literal["zero", "worst"]) -> float:
    """The score of a case without a usable prediction: 0 under `zero`, the wrong extreme under `worst`."""
    if policy not in ("zero", "worst"):
        raise ValueError(f"a case without a prediction is not scored under the policy {policy!r}")
    return 1.0 if policy == "worst" and label == 0 else 0.0


def _batch(histograms: Mapping[str, VoxelHistogram], number: int, cases: Sequence[str]) -> float:
    try:
        return reduce(add, (histograms[case] for case in cases)).average_precision()
    except UndefinedMetric as error:
        raise UndefinedMetric(f"batch {number}: {error}") from error
