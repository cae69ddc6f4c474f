"""How sure the places are: bootstraps of the cases, pairwise tests, groups, and leaving out batches."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoring.average_precision import UndefinedMetric
from scoring.comparison import bootstrap_greater, holm, indistinguishable, pairwise, wilcoxon_greater
from scoring.histograms import VoxelHistogram
from scoring.ranking import consensus, places_by_tests
from scoring.report.board import Measured
from scoring.report.case_level import scores_of
from scoring.report.measures import Measurement
from scoring.report.plan import Plan, stream
from scoring.report.study import Entrant, Predictions
from scoring.stability import (
    Stability,
    bootstrap_cases,
    bootstrap_entrants,
    draw,
    leave_one_batch_out,
    stability,
)

LEVEL = 0.95
SIGNIFICANT = 0.05
BEHIND = -1.0
"""In place of a value that does not exist: it is behind every average precision."""

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Bootstrapped:
    """Values (replicates, entrants) by dataset; `undefined` says of a dataset why there are none."""

    values: dict[str, Values] = field(default_factory=dict)
    undefined: dict[str, str] = field(default_factory=dict)


def bootstrap(
    plans: Mapping[str, Plan],
    measured: Measured,
    entrants: Sequence[Entrant],
    task: str,
    level: str,
    replicates: int,
    seed: int,
) -> Bootstrapped:
    """Redraw the cases of every dataset, for all entrants the same."""
    found = Bootstrapped()
    for name, plan in plans.items():
        present = [index for index, one in enumerate(measured[name]) if one.ranking.value is not None]
        if not present:
            found.undefined[name] = "nobody has a value on this dataset"
            continue
        draws = draw(plan.labels, replicates, stream(seed, task, name, "bootstrap"))
        chosen = [plan.part.predictions[entrants[index].submission] for index in present]
        try:
            values = _by_voxels(plan, chosen, draws) if level == "voxel" else _by_cases(plan, chosen, draws)
        except UndefinedMetric as error:
            found.undefined[name] = str(error)
            continue
        found.values[name] = np.full((replicates, len(entrants)), BEHIND)
        found.values[name][:, present] = values
    return found


def _by_cases(plan: Plan, chosen: Sequence[Predictions], draws: NDArray[np.int32]) -> Values:
    columns = [bootstrap_cases(plan.labels, scores_of(plan, one), draws) for one in chosen]
    return np.stack(columns, axis=1)


def _by_voxels(plan: Plan, chosen: Sequence[Predictions], draws: NDArray[np.int32]) -> Values:
    return bootstrap_entrants([_histograms(plan, one) for one in chosen], plan.batches[0], draws)


def _histograms(plan: Plan, predictions: Predictions) -> Iterator[VoxelHistogram]:
    return (predictions.histograms[case] for case in plan.ids)


# --- tests ---


@dataclass(frozen=True)
class Pairs:
    """Pairwise tests on one dataset, (entrants, entrants): `significant[a, b]` when a beats b."""

    test: str
    n: int
    p: Values
    adjusted: Values
    significant: NDArray[np.bool_]
    smallest: float
    """The smallest adjusted p-value that could have come out at all."""


def compare_pairs(column: Sequence[Measurement], values: Values | None, level: str) -> Pairs | str:
    """Who beats whom beyond chance on one dataset, or why that cannot be tested."""
    present = [index for index, one in enumerate(column) if one.ranking.value is not None]
    if len(present) < 2:
        return "fewer than two entrants have a value on this dataset"
    if level == "voxel" and all(len(column[index].ranking_batches) > 1 for index in present):
        rows = np.array([column[index].ranking_batches for index in present])
        name, least, small = "wilcoxon_signed_rank", 0.5 ** rows.shape[1], wilcoxon_greater
    elif values is None:
        return "there are no bootstraps of this dataset"
    else:
        rows = values[:, present].T
        name, least, small = "paired_bootstrap", 1 / (1 + rows.shape[1]), bootstrap_greater
    p = pairwise(rows, small)
    size, cells = len(column), np.ix_(present, present)
    whole, adjusted = np.ones((size, size)), np.ones((size, size))
    whole[cells], adjusted[cells] = p, holm(p)
    pairs = len(present) * (len(present) - 1)
    return Pairs(name, rows.shape[1], whole, adjusted, adjusted < SIGNIFICANT, min(1.0, least * pairs))


def tested_places(tests: Mapping[str, Pairs | str]) -> dict[str, list[int] | str]:
    """The places by tests on each dataset, or why there are none."""
    return {
        name: found if isinstance(found, str) else places_by_tests(found.significant)
        for name, found in tests.items()
    }


# --- told ---


def uncertainty(
    measured: Measured,
    by_dataset: Mapping[str, Sequence[int]],
    bootstrapped: Bootstrapped,
    tests: Mapping[str, Pairs | str],
    level: str,
    replicates: int,
) -> dict[str, Any]:
    """All that is known about how sure the places are, for the document."""
    single = {name: stability({name: values}) for name, values in bootstrapped.values.items()}
    reason = next(iter(bootstrapped.undefined.values()), None)
    over_all = stability(bootstrapped.values) if bootstrapped.values and reason is None else None
    return {
        "bootstraps": replicates,
        "level": LEVEL,
        "significant_below": SIGNIFICANT,
        "consensus": {"undefined": reason or "there is no dataset"}
        if over_all is None
        else _places_told(over_all, consensus(by_dataset)),
        "datasets": {
            name: {
                "bootstraps": {"undefined": bootstrapped.undefined[name]}
                if name not in single
                else _dataset_told(single[name], name, column, by_dataset[name]),
                "tests": _tests_told(tests[name], by_dataset[name]),
            }
            for name, column in measured.items()
        },
        "leave_one_batch_out": _without_batches(measured, by_dataset) if level == "voxel" else None,
    }


def _places_told(found: Stability, full: Sequence[int]) -> dict[str, Any]:
    return {
        "undefined": None,
        "intervals": [list(interval) for interval in found.interval(LEVEL)],
        "shares": found.shares().tolist(),
        "tau_b": _tau_told(found, full),
    }


def _tau_told(found: Stability, full: Sequence[int]) -> dict[str, Any]:
    try:
        taus = found.tau(full)
    except UndefinedMetric as error:
        return {"undefined": str(error), "median": None, "interval": None, "values": []}
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(taus, [tail, 100 - tail])
    return {
        "undefined": None,
        "median": float(np.median(taus)),
        "interval": [float(low), float(high)],
        "values": taus.tolist(),
    }


def _dataset_told(
    found: Stability, name: str, column: Sequence[Measurement], full: Sequence[int]
) -> dict[str, Any]:
    intervals = found.value_intervals(name, LEVEL)
    present = [one.ranking.value is not None for one in column]
    return {
        **_places_told(found, full),
        "value_intervals": [
            list(interval) if there else None for interval, there in zip(intervals, present, strict=True)
        ],
    }


def _tests_told(tests: Pairs | str, full: Sequence[int]) -> dict[str, Any]:
    if isinstance(tests, str):
        return {"undefined": tests}
    order = sorted(range(len(full)), key=lambda index: (full[index], index))
    return {
        "undefined": None,
        "test": tests.test,
        "n": tests.n,
        "p": tests.p.tolist(),
        "adjusted": tests.adjusted.tolist(),
        "significant": tests.significant.tolist(),
        "smallest_possible": tests.smallest,
        "groups": indistinguishable(order, tests.significant),
    }


def _without_batches(measured: Measured, by_dataset: Mapping[str, Sequence[int]]) -> dict[str, Any]:
    """The places without each batch, and the range in which everybody's place then lies."""
    told: dict[str, Any] = {}
    for name, column in measured.items():
        batches = max((len(one.ranking_batches) for one in column), default=0)
        rows = [one.ranking_batches or (BEHIND,) * batches for one in column]
        try:
            found = leave_one_batch_out(
                {name: np.array(rows, dtype=np.float64).reshape(len(column), batches)}
            )[name]
        except UndefinedMetric as error:
            told[name] = {"undefined": str(error)}
            continue
        ranges = [[min(taken), max(taken)] for taken in zip(*found, strict=True)]
        changed = sum(without != list(by_dataset[name]) for without in found)
        told[name] = {"undefined": None, "places": found, "ranges": ranges, "changed": changed}
    return told
