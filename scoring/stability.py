"""How far the places would move with other cases: bootstraps of the cases, and leaving out batches.

Cases are redrawn within their class over the dataset, the same draw for all submissions. Voxel histograms
add, so a bootstrap of the pixel task is additions on small arrays, never a second evaluation.
"""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoring.average_precision import NotFinite, UndefinedMetric
from scoring.histograms import VoxelHistogram
from scoring.kernels.bootstrap import average_precisions
from scoring.ranking import places as places_of
from scoring.stacking import stacked


def draw(labels: NDArray[Any], replicates: int, rng: np.random.Generator) -> NDArray[np.int32]:
    """Redraw every case among those of its class, with replacement: (replicates, cases) indices of cases.

    `labels` (cases,). Column j stands for case j, so every batch keeps its class counts, and the same draws
    serve all submissions.
    """
    draws = np.empty((replicates, len(labels)), dtype=np.int32)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        draws[:, members] = members[rng.integers(len(members), size=(replicates, len(members)))]
    return draws


def bootstrap_cases(
    labels: NDArray[Any], scores: NDArray[np.float64], draws: NDArray[np.int32]
) -> NDArray[np.float64]:
    """Average precision of each redrawn set of cases, (replicates,).

    `labels` (cases,) of 0 and 1, `scores` (cases,), `draws` from `draw`. Raises `NotFinite` on NaN and
    infinite scores, `UndefinedMetric` when a redrawn set has no positive.
    """
    if not np.isfinite(scores).all():
        raise NotFinite("a score is NaN or infinite")
    times = _times_drawn(draws, len(labels))
    order = np.argsort(-scores, kind="stable")
    # Cases of equal score stand or fall together: sums run over the groups, best score first.
    starts = np.flatnonzero(np.diff(scores[order], prepend=np.inf))
    positives = np.add.reduceat(times[:, order] * (labels[order] == 1), starts, axis=1)
    called = np.add.reduceat(times[:, order], starts, axis=1).cumsum(axis=1)
    found = positives.cumsum(axis=1)
    if not found[:, -1].all():
        raise UndefinedMetric("a redrawn set of cases has no positive")
    # Where nobody is called yet nothing is found either: any divisor but 0 will do.
    precision = found / np.maximum(called, 1)
    areas: NDArray[np.float64] = (positives * precision).sum(axis=1) / found[:, -1]
    return areas


def bootstrap_batches(
    histograms: Iterable[VoxelHistogram], batches: Sequence[Sequence[int]], draws: NDArray[np.int32]
) -> NDArray[np.float64]:
    """Mean over the batches' average precisions for each redrawn set of cases, (replicates,).

    `histograms` by index of case, `batches` of indices of cases, `draws` from `draw`. A case drawn twice in a
    batch counts twice. Raises `UndefinedMetric` when a redrawn batch has no positive voxel, `ValueError` on
    indices that name no case.
    """
    if not batches or not all(batches):
        raise ValueError("every arrangement has batches, and every batch has cases")
    lengths = [len(batch) for batch in batches]
    counts = stacked(histograms, max(lengths))
    members = np.concatenate([np.asarray(batch, dtype=np.int64) for batch in batches])
    _check_indices(counts.positives.shape[1], members, draws)
    starts = np.cumsum([0, *lengths], dtype=np.int64)
    redrawn = np.ascontiguousarray(draws, dtype=np.int32)
    areas = average_precisions(counts.positives, counts.negatives, redrawn, members, starts)
    undefined = np.isnan(areas)
    if undefined.any():
        batch, times = int(np.argmax(undefined.any(axis=0))), int(np.count_nonzero(undefined))
        raise UndefinedMetric(f"batch {batch}: no positive voxel in {times} redrawn sets of cases")
    means: NDArray[np.float64] = areas.mean(axis=1)
    return means


def bootstrap_entrants(
    entrants: Sequence[Iterable[VoxelHistogram]],
    batches: Sequence[Sequence[int]],
    draws: NDArray[np.int32],
    threads: int = 2,
) -> NDArray[np.float64]:
    """`bootstrap_batches` of all entrants by the same draws, (replicates, entrants), in parallel.

    An entrant's histograms may come from a generator that decodes them: they are taken one by one, and only
    the entrants in work are held in memory.
    """
    with ThreadPoolExecutor(threads) as pool:
        columns = list(pool.map(lambda cases: bootstrap_batches(cases, batches, draws), entrants))
    return np.array(columns).reshape(len(columns), len(draws)).T


@dataclass(frozen=True)
class Stability:
    """What the bootstraps say of each dataset and of the consensus; arrays are (replicates, entrants)."""

    values: dict[str, NDArray[np.float64]]
    places: dict[str, NDArray[np.int64]]
    consensus: NDArray[np.int64]

    def interval(self, level: float = 0.95, dataset: str | None = None) -> list[tuple[int, int]]:
        """The first and last place within which an entrant's place lies in `level` of the bootstraps.

        Of the consensus, or of one dataset. Percentiles between two places go to the outer one.
        """
        low, high = _percentiles(self._places(dataset), level)
        return [(int(first), int(last)) for first, last in zip(low, high, strict=True)]

    def value_intervals(self, dataset: str, level: float = 0.95) -> list[tuple[float, float]]:
        """The percentiles between which an entrant's figure lies in `level` of the bootstraps."""
        low, high = _percentiles(self.values[dataset], level)
        return [(float(first), float(last)) for first, last in zip(low, high, strict=True)]

    def shares(self, dataset: str | None = None) -> NDArray[np.float64]:
        """The share of bootstraps in which an entrant has each place, (entrants, places), rows add to 1."""
        taken = self._places(dataset)
        numbers = np.arange(1, taken.shape[1] + 1)
        shares: NDArray[np.float64] = (taken[:, :, np.newaxis] == numbers).mean(axis=0)
        return shares

    def tau(self, places: Sequence[int], dataset: str | None = None) -> NDArray[np.float64]:
        """Kendall's τ-b of each bootstrap's ranking with the full one, `places` (entrants,).

        A bootstrap in which all entrants share one place has no τ-b and is left out: the result is shorter by
        their number. Raises `UndefinedMetric` when the full ranking, or that of every bootstrap, is one tie.
        """
        drawn = self._places(dataset)
        if drawn.shape[1] != len(places):
            raise ValueError(f"{len(places)} places do not match {drawn.shape[1]} entrants")
        return _tau_b(drawn, np.asarray(places))

    def _places(self, dataset: str | None) -> NDArray[np.int64]:
        return self.consensus if dataset is None else self.places[dataset]


def stability(values: Mapping[str, NDArray[np.float64]]) -> Stability:
    """Places and consensus of every bootstrap.

    `values` (replicates, entrants) per dataset, higher is better. Raises `ValueError` on NaN, and when the
    datasets differ in their numbers.
    """
    if len({column.shape for column in values.values()}) != 1:
        raise ValueError("every dataset has the same bootstraps of the same entrants")
    if any(np.isnan(column).any() for column in values.values()):
        raise ValueError("NaN has no place")
    ranked = {dataset: _rows_placed(column) for dataset, column in values.items()}
    means = np.mean(list(ranked.values()), axis=0)
    return Stability(dict(values), ranked, _rows_placed(-means))


def leave_one_batch_out(batch_values: Mapping[str, NDArray[np.float64]]) -> dict[str, list[list[int]]]:
    """The places of each dataset by the mean over all batches but one, one list of places per batch left out.

    `batch_values` (entrants, batches) per dataset. Raises `UndefinedMetric` for a dataset of a single batch.
    """
    return {dataset: _without_each(dataset, values) for dataset, values in batch_values.items()}


def _check_indices(cases: int, members: NDArray[np.int64], draws: NDArray[np.int32]) -> None:
    if draws.ndim != 2 or draws.shape[1] != cases:
        raise ValueError(f"draws of {draws.shape} do not redraw {cases} cases")
    for indices in (members, draws):
        if indices.size and not 0 <= indices.min() <= indices.max() < cases:
            raise ValueError(f"an index names none of {cases} cases")


def _without_each(dataset: str, values: NDArray[np.float64]) -> list[list[int]]:
    batches = values.shape[1]
    if batches < 2:
        raise UndefinedMetric(f"{dataset} has one batch: without it nothing is left to rank by")
    return [places_of(np.delete(values, batch, axis=1).mean(axis=1).tolist()) for batch in range(batches)]


def _times_drawn(draws: NDArray[np.int32], cases: int) -> NDArray[np.int64]:
    cells = np.arange(len(draws))[:, np.newaxis] * cases + draws
    return np.bincount(cells.ravel(), minlength=len(draws) * cases).reshape(len(draws), cases)


def _rows_placed(values: NDArray[Any]) -> NDArray[np.int64]:
    """Places within each row: one more than the number of those ahead."""
    ahead = values[:, np.newaxis, :] > values[:, :, np.newaxis]
    placed: NDArray[np.int64] = 1 + ahead.sum(axis=2)
    return placed


def _percentiles(columns: NDArray[Any], level: float) -> tuple[NDArray[Any], NDArray[Any]]:
    tail = (1 - level) / 2
    return (
        np.quantile(columns, tail, axis=0, method="lower"),
        np.quantile(columns, 1 - tail, axis=0, method="higher"),
    )


def _tau_b(drawn: NDArray[np.int64], full: NDArray[np.int64]) -> NDArray[np.float64]:
    first, second = np.triu_indices(len(full), k=1)
    order, orders = np.sign(full[first] - full[second]), np.sign(drawn[:, first] - drawn[:, second])
    if not order.any():
        raise UndefinedMetric("the full ranking is one big tie: Kendall's tau has nothing to compare with")
    orders = orders[orders.any(axis=1)]
    if not len(orders):
        raise UndefinedMetric("every bootstrap's ranking is one big tie: Kendall's tau is not defined")
    taus: NDArray[np.float64] = (orders @ order) / np.sqrt((orders**2).sum(axis=1) * (order**2).sum())
    return taus
