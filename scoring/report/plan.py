"""What is decided before anybody's predictions are looked at, and is the same for everybody.

Every random choice has a source of its own, made from the study's seed and its purpose: a further task or
dataset changes no figure of the others.
"""

import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoring.average_precision import UndefinedMetric
from scoring.report.study import CaseFacts, Part
from scoring.strata import Bin, bins, equal_counts

Strata = dict[Hashable, NDArray[np.intp]]

CURVES = {"size": 6, "contrast": 10}
"""How many bins the curves have at most; volumes in mm³, intensities in [0, 1]."""

GROUPINGS = ("category", "kind", "difficulty", *CURVES)


def stream(seed: int, *purpose: str) -> np.random.Generator:
    """A source of randomness that depends on the seed and on what it is for, and on nothing else."""
    words = np.frombuffer(sha256("\0".join(purpose).encode()).digest(), dtype="<u4")
    return np.random.default_rng([seed, *words.tolist()])


@dataclass(frozen=True)
class Plan:
    """One part, ready for everybody's predictions.

    `labels` (cases,). `batches` are arrangements of batches of indices of cases. `strata` per grouping and
    group the indices of its abnormal cases and as many normal ones; `unstratified` says why there are none.
    """

    part: Part
    labels: NDArray[np.int64]
    batches: tuple[tuple[tuple[int, ...], ...], ...]
    strata: dict[str, Strata]
    unstratified: str | None = None

    @property
    def ids(self) -> list[str]:
        """The cases' ids, in the order that all indices mean."""
        return [case.id for case in self.part.cases]


def plan_of(
    part: Part,
    task: str,
    seed: int | None = None,
    groupings: Sequence[str] = GROUPINGS,
    purpose: str = "strata",
) -> Plan:
    """Labels and batches of a part; with `seed`, its strata by `groupings` as well, drawn for a `purpose`."""
    labels = np.array([case.label for case in part.cases], dtype=np.int64)
    place = {case.id: index for index, case in enumerate(part.cases)}
    batches = tuple(
        tuple(tuple(place[case] for case in batch) for batch in arrangement)
        for arrangement in part.arrangements
    )
    if seed is None:
        return Plan(part, labels, batches, {}, "groups are told of test cases only")
    try:
        drawn = {
            name: _strata(part, labels, name, stream(seed, task, part.dataset, purpose, name))
            for name in groupings
        }
    except UndefinedMetric as error:
        return Plan(part, labels, batches, {}, str(error))
    return Plan(part, labels, batches, {name: strata for name, strata in drawn.items() if strata})


def _strata(part: Part, labels: NDArray[np.int64], grouping: str, rng: np.random.Generator) -> Strata:
    drawn = equal_counts(labels, _groups(part.cases, grouping), rng)
    return {group: drawn[group] for group in sorted(drawn, key=_order)}


def _groups(cases: Sequence[CaseFacts], grouping: str) -> list[Hashable | None]:
    values: list[Any] = [getattr(case, grouping) if case.label else None for case in cases]
    if grouping not in CURVES:
        return values
    return list(bins([None if value is None else _rounded(value) for value in values], CURVES[grouping]))


def _rounded(value: float) -> float:
    """To two significant digits: a bin may be one hidden case, whose exact parameters stay hidden."""
    return float(f"{value:.2g}")


def _order(group: Hashable) -> tuple[Any, ...]:
    """Bins by value; names by their letters, with numbers in them as numbers."""
    if isinstance(group, Bin):
        return (group.low, group.high)
    return tuple(
        (1, int(piece), "") if piece.isdigit() else (0, 0, piece) for piece in re.split(r"(\d+)", str(group))
    )
