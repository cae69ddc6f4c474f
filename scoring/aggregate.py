"""From cases to the figure of a task, by batch, over the dataset or by case; what an absent case scores."""

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from math import fsum
from operator import add
from typing import Literal

from scoring.average_precision import UndefinedMetric
from scoring.histograms import VoxelHistogram
from scoring.undefined import figure

Metric = Callable[[VoxelHistogram], float]


def average_precision(histogram: VoxelHistogram) -> float:
    """Average precision of the counted voxels, higher is better; the metric unless another is named."""
    return histogram.average_precision()


def batch_average_precisions(
    histograms: Mapping[str, VoxelHistogram], batches: Sequence[Sequence[str]]
) -> list[float]:
    """Average precision of each batch, higher is better; each batch names its cases.

    Raises `KeyError` for a case without a histogram, `UndefinedMetric` for a batch without a positive voxel
    (the builder of a dataset prevents it; the message says which), `ValueError` when a batch is empty.
    """
    if not batches or not all(batches):
        raise ValueError("every arrangement has batches, and every batch has cases")
    return [_batch(histograms, number, cases) for number, cases in enumerate(batches)]


def mean_over_batches(histograms: Mapping[str, VoxelHistogram], batches: Sequence[Sequence[str]]) -> float:
    """Mean of the batches' average precisions; errors as `batch_average_precisions`."""
    return fsum(batch_average_precisions(histograms, batches)) / len(batches)


def over_dataset(histograms: Mapping[str, VoxelHistogram], metric: Metric = average_precision) -> float:
    """Dataset-level aggregation: `metric` over the voxels of all cases at once (thesis, section 2.2.2).

    Raises what `metric` raises, `UndefinedMetric` when no voxel is positive, say; `ValueError` without cases.
    """
    if not histograms:
        raise ValueError("a dataset has cases")
    return metric(reduce(add, histograms.values()))


def per_case(
    histograms: Mapping[str, VoxelHistogram], metric: Metric = average_precision
) -> dict[str, float | None]:
    """Sample-level aggregation, first half: `metric` of each case, `None` where it is undefined."""
    return {case: figure(metric, histogram).value for case, histogram in histograms.items()}


def per_case_average_precision(histograms: Mapping[str, VoxelHistogram]) -> dict[str, float | None]:
    """Average precision of each case, higher is better; `None` where no voxel is positive."""
    return per_case(histograms)


def mean_over_cases(values: Mapping[str, float | None]) -> float:
    """Sample-level aggregation, second half: the mean over the cases where the metric is defined.

    Raises `UndefinedMetric` when it is nowhere.
    """
    defined = [value for value in values.values() if value is not None]
    if not defined:
        raise UndefinedMetric("the metric is undefined for every case")
    return fsum(defined) / len(defined)


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
