"""How sure the places are: bootstraps of the cases, pairwise tests, groups, and leaving out batches."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoring.average_precision import UndefinedMetric
from scoring.comparison import indistinguishable
from scoring.histograms import VoxelHistogram
from scoring.ranking import consensus
from scoring.report.board import Measured
from scoring.report.measures import Measurement
from scoring.report.pairs import SIGNIFICANT, Pairs, redrawn_cases, with_value
from scoring.report.plan import Plan, stream
from scoring.report.study import Study, TaskStudy
from scoring.stability import Stability, bootstrap_entrants, draw, leave_one_batch_out, stability

LEVEL = 0.95
BEHIND = -1.0
"""In place of a value that does not exist: it is behind every average precision."""

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Bootstrapped:
    """Values (replicates, entrants) by dataset; `undefined` says of a dataset why there are none."""

    values: dict[str, Values] = field(default_factory=dict)
    undefined: dict[str, str] = field(default_factory=dict)


def bootstrap(study: Study, task: TaskStudy, plans: Mapping[str, Plan], measured: Measured) -> Bootstrapped:
    """Redraw the cases of every dataset, for all entrants the same."""
    found = Bootstrapped()
    for name, plan in plans.items():
        present = with_value(measured[name])
        if not present:
            found.undefined[name] = "nobody has a value on this dataset"
            continue
        draws = draw(plan.labels, study.bootstraps, stream(study.seed, task.slug, name, "bootstrap"))
        chosen = [measured[name][index] for index in present]
        try:
            values = _redrawn(task.level, plan, chosen, draws)
        except UndefinedMetric as error:
            found.undefined[name] = str(error)
            continue
        found.values[name] = np.full((study.bootstraps, len(measured[name])), BEHIND)
        found.values[name][:, present] = values
    return found


def _redrawn(level: str, plan: Plan, chosen: Sequence[Measurement], draws: NDArray[np.int32]) -> Values:
    if level == "case":
        return redrawn_cases(plan, chosen, draws)
    return bootstrap_entrants([_histograms(plan, one) for one in chosen], plan.batches[0], draws)


def _histograms(plan: Plan, one: Measurement) -> Iterator[VoxelHistogram]:
    return (one.predictions.histograms[case] for case in plan.ids)


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
