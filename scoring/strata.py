"""Figures by kind, size, contrast or difficulty of the anomaly, among as many normal as abnormal cases.

Average precision rises with the share of positives, so kinds can be compared only at the same share
(Zimmerer, thesis, section 4.1 and Figs. 4.4 to 4.8). Draw strata once, and use them for every submission.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scoring.aggregate import mean_over_cases, over_dataset, per_case_average_precision
from scoring.average_precision import NotFinite, UndefinedMetric, as_labels, average_precision
from scoring.histograms import VoxelHistogram
from scoring.roc import auroc, false_positive_rate
from scoring.undefined import Figure, figure

Group = TypeVar("Group", bound=Hashable)


@dataclass(frozen=True, order=True)
class Bin:
    """The values from `low` to `high`, both of which occur; equal when it is a single value."""

    low: float
    high: float

    @property
    def middle(self) -> float:
        """Halfway, where a curve has its point."""
        return (self.low + self.high) / 2


@dataclass(frozen=True)
class CaseFigures:
    """Case-level figures of one stratum. `false_positive_rate` is at a true-positive rate of 95 %."""

    abnormal: int
    normal: int
    average_precision: Figure
    auroc: Figure
    false_positive_rate: Figure


@dataclass(frozen=True)
class VoxelFigures:
    """Voxel-level figures of one stratum.

    `average_precision` is over all its voxels at once, which large anomalies dominate; `mean_over_cases` over
    those `cases_with_value` that have an abnormal voxel. `positive_share` of the voxels is chance level.
    """

    abnormal: int
    normal: int
    average_precision: Figure
    mean_over_cases: Figure
    cases_with_value: int
    positive_share: float


def equal_counts(
    labels: ArrayLike, groups: Sequence[Group | None], rng: np.random.Generator
) -> dict[Group, NDArray[np.intp]]:
    """For each group the places of its abnormal cases and of as many normal ones, drawn without replacement.

    `labels` (n,) of 0 and 1; `groups` (n,) is read for abnormal cases only, `None` belongs to none. Where
    normal cases are fewer, as many abnormal ones are drawn. All groups draw from one order of the cases: they
    share normal cases as far as they can, and one group's draw does not depend on the others. Groups come in
    order of first appearance, places in rising order. Raises `UndefinedMetric` when no case is normal,
    `ValueError` on lengths that differ.
    """
    label = as_labels(np.asarray(labels))
    if label.shape != (len(groups),):
        raise ValueError(f"{label.shape} labels do not match {len(groups)} groups")
    order = rng.permutation(len(groups))
    normal = order[~label[order]]
    if normal.size == 0:
        raise UndefinedMetric("no case is normal, so none can stand beside the abnormal ones")
    members: dict[Group, list[int]] = {}
    for place in np.flatnonzero(label).tolist():
        group = groups[place]
        if group is not None:
            members.setdefault(group, []).append(place)
    return {group: _as_many(order[np.isin(order, places)], normal) for group, places in members.items()}


def bins(values: Sequence[float | None], count: int) -> list[Bin | None]:
    """For each case the bin of its value, `None` where it has none: groups for `equal_counts`.

    At most `count` different values are a bin each, as on a toy set that varies one of them (Fig. 4.4). More
    are cut where the cases fall into about equal shares; equal values are never parted, so there may be fewer
    bins. Raises `NotFinite` on NaN and infinite values, `ValueError` unless `count` is positive.
    """
    if count < 1:
        raise ValueError("values need at least one bin")
    known = sorted(value for value in values if value is not None)
    if not all(isfinite(value) for value in known):
        raise NotFinite("a value is NaN or infinite")
    bin_of: dict[float, Bin] = {}
    for part in _parts(known, count):
        bin_of |= dict.fromkeys(part, Bin(part[0], part[-1]))
    return [None if value is None else bin_of[value] for value in values]


def stratified_average_precision(
    labels: ArrayLike, scores: ArrayLike, strata: Mapping[Group, NDArray[np.intp]]
) -> dict[Group, CaseFigures]:
    """Case-level figures of each stratum of `equal_counts`; `labels`, `scores` (n,) as `average_precision`.

    Raises `NotFinite` and `ValueError` as `average_precision`; what is undefined says so in its figure.
    """
    label, score = np.asarray(labels), np.asarray(scores)
    return {group: _case_figures(label[places], score[places]) for group, places in strata.items()}


def stratified_voxel_average_precision(
    labels: ArrayLike, histograms: Sequence[VoxelHistogram], strata: Mapping[Group, NDArray[np.intp]]
) -> dict[Group, VoxelFigures]:
    """Voxel-level figures of each stratum of `equal_counts`; `labels` and `histograms` (n,) by case."""
    label = np.asarray(labels)
    return {
        group: _voxel_figures(label[places], {str(place): histograms[place] for place in places})
        for group, places in strata.items()
    }


def _as_many(abnormal: NDArray[np.intp], normal: NDArray[np.intp]) -> NDArray[np.intp]:
    count = min(abnormal.size, normal.size)
    return np.sort(np.concatenate([abnormal[:count], normal[:count]]))


def _parts(known: Sequence[float], count: int) -> list[list[float]]:
    """Rising values cut into at most `count` parts, equal values together."""
    distinct = sorted(set(known))
    if len(distinct) <= count:
        return [[value] for value in distinct]
    parts: dict[int, list[float]] = {}
    for place, value in enumerate(known):
        # A value goes where its first occurrence falls.
        if not place or value != known[place - 1]:
            parts.setdefault(place * count // len(known), []).append(value)
    return list(parts.values())


def _case_figures(labels: NDArray[np.int64], scores: NDArray[np.float64]) -> CaseFigures:
    abnormal = int(np.count_nonzero(labels))
    return CaseFigures(
        abnormal=abnormal,
        normal=len(labels) - abnormal,
        average_precision=figure(average_precision, labels, scores),
        auroc=figure(auroc, labels, scores),
        false_positive_rate=figure(false_positive_rate, labels, scores),
    )


def _voxel_figures(labels: NDArray[np.int64], histograms: Mapping[str, VoxelHistogram]) -> VoxelFigures:
    abnormal = int(np.count_nonzero(labels))
    per_case = per_case_average_precision(histograms)
    positives = sum(int(histogram.positives.sum()) for histogram in histograms.values())
    negatives = sum(int(histogram.negatives.sum()) for histogram in histograms.values())
    return VoxelFigures(
        abnormal=abnormal,
        normal=len(labels) - abnormal,
        average_precision=figure(over_dataset, histograms),
        mean_over_cases=figure(mean_over_cases, per_case),
        cases_with_value=sum(value is not None for value in per_case.values()),
        positive_share=positives / (positives + negatives),
    )
