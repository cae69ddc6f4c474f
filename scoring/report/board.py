"""Who stands where: places per dataset, their consensus, and what other ways to rank would say."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scoring.ranking import consensus, consensus_by_median, kendall_tau_b, places, rank_then_aggregate
from scoring.report.measures import Measurement
from scoring.report.study import Entrant
from scoring.report.values import Told, computed, undefined

Measured = Mapping[str, Sequence[Measurement]]
"""By dataset the measurements of all entrants, in the same order."""

TITLES = {
    "mean_of_places": ("Mean of places", "mean"),
    "median_of_places": ("Median of places", "median"),
    "test_based": ("Significant wins", "tests"),
    "rank_then_aggregate": ("Places per batch, then their mean", "per batch"),
    "validation": ("Second arrangement of batches", "2nd batches"),
    "over_dataset": ("All voxels at once", "all voxels"),
    "toy": ("Toy cases", "toy"),
}
"""Ways to rank, the one that counts first, with a long and a short name."""


def places_by_dataset(measured: Measured) -> dict[str, list[int]]:
    """The places on each dataset by the figure that ranks."""
    return {name: places([one.ranking.value for one in column]) for name, column in measured.items()}


def board_order(entrants: Sequence[Entrant], measured: Measured) -> list[int]:
    """Indices of the entrants as the board lists them: by place, then by name."""
    final = consensus(places_by_dataset(measured)) or [1] * len(entrants)
    return sorted(
        range(len(entrants)),
        key=lambda i: (final[i], entrants[i].team.casefold(), entrants[i].submission),
    )


def ranking(
    measured: Measured, toy: Measured, tests: Mapping[str, Sequence[int] | str], level: str
) -> dict[str, Any]:
    """Places, consensus and the alternatives. `tests`: places by tests on each dataset, or why none."""
    by_dataset = places_by_dataset(measured)
    ways = _ways(measured, by_dataset, tests, level)
    toy_places = {
        name: column
        for name, column in places_by_dataset(toy).items()
        if name in by_dataset and _complete(toy[name])
    }
    ways["toy"] = consensus(toy_places) if len(toy_places) == len(by_dataset) else "toy results are lacking"
    methods: list[dict[str, Any]] = [
        {
            "method": name,
            "title": TITLES[name][0],
            "short": TITLES[name][1],
            "places": None if isinstance(found, str) else found,
            "undefined": found if isinstance(found, str) else None,
        }
        for name, found in ways.items()
    ]
    return {
        "places": by_dataset,
        "consensus": consensus(by_dataset),
        "methods": methods,
        "tau_b": [[_tau(a["places"], b["places"]) for b in methods] for a in methods],
        "toy_against_test": {name: _tau(toy_places.get(name), column) for name, column in by_dataset.items()},
    }


def _complete(column: Sequence[Measurement]) -> bool:
    return all(one.ranking.value is not None for one in column)


def _ways(
    measured: Measured,
    by_dataset: Mapping[str, Sequence[int]],
    tests: Mapping[str, Sequence[int] | str],
    level: str,
) -> dict[str, list[int] | str]:
    untested = next((found for found in tests.values() if isinstance(found, str)), None)
    tested = {name: found for name, found in tests.items() if not isinstance(found, str)}
    ways: dict[str, list[int] | str] = {
        "mean_of_places": consensus(by_dataset),
        "median_of_places": consensus_by_median(by_dataset),
        "test_based": untested or consensus(tested),
    }
    if level == "voxel":
        ways["rank_then_aggregate"] = _by_batches(measured)
        for name, figure in (
            ("validation", "average_precision_validation"),
            ("over_dataset", "average_precision_over_dataset"),
        ):
            ways[name] = _by_figure(measured, figure)
    return ways


def _by_batches(measured: Measured) -> list[int] | str:
    columns: dict[str, list[int]] = {}
    for name, column in measured.items():
        if not all(one.ranking_batches for one in column):
            return f"not everybody has a value in every batch of {name}"
        values = np.array([one.ranking_batches for one in column], dtype=np.float64)
        columns[name] = rank_then_aggregate(values) if column else []
    return consensus(columns)


def _by_figure(measured: Measured, figure: str) -> list[int] | str:
    told = {name: [one.figures[figure] for one in column] for name, column in measured.items()}
    for column in told.values():
        if column and all(one["value"] is None for one in column):
            return str(column[0]["undefined"])
    return consensus({name: places([one["value"] for one in column]) for name, column in told.items()})


def _tau(a: Sequence[int] | None, b: Sequence[int] | None) -> Told:
    if a is None or b is None:
        return undefined("one of the two rankings is lacking")
    return computed(kendall_tau_b, a, b)
