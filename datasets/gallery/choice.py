"""Which cases of a dataset are shown: normal people, every kind at every difficulty, toys, analysis sets."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from datasets.anomalies.scene import CATEGORIES, DIFFICULTIES, Category
from datasets.manifest import Case, Manifest

PEOPLE = 12
STEPS = 24  # of a series; longer ones are thinned
SERIES = ("size-series", "contrast-series")
PROXY = "proxy"
SHOWN_OF_PROXY = 8


@dataclass(frozen=True)
class Cases:
    """All hidden cases of a kind, and per difficulty those that are `shown`."""

    category: Category
    kind: str
    every: tuple[Case, ...]
    shown: dict[str, tuple[Case, ...]]

    def at(self, difficulty: str) -> list[Case]:
        return [case for case in self.every if case.parameters.get("difficulty") == difficulty]

    def numbers(self, name: str, difficulty: str | None = None) -> list[float]:
        """A parameter of all its cases that have it, such as `attempts`, `voxels` or `contrast`."""
        chosen: Iterable[Case] = self.every if difficulty is None else self.at(difficulty)
        found: list[Any] = [case.parameters.get(name) for case in chosen]
        return [float(value) for value in found if isinstance(value, int | float)]


def people(described: Manifest) -> list[Case]:
    """Normal scans that participants have, of all variants in turn."""
    cases = sorted(described.cases_of("training"), key=_variant)
    turns = [list(enumerate(group)) for _, group in groupby(cases, key=_variant)]
    in_turn = sorted((place for group in turns for place in group), key=lambda place: place[0])
    return [case for _, case in in_turn][:PEOPLE]


def _variant(case: Case) -> str:
    return str(case.properties.get("variant", ""))


def kinds(described: Manifest, examples: int) -> list[Cases]:
    """Every kind among the hidden cases but those of the toy-like sets, at most `examples` a difficulty."""
    hidden = [
        case
        for case in described.cases
        if case.label == 1
        and (case.part == "test" or (case.part == "analysis" and case.analysis == "equal-counts"))
    ]
    found = []
    for category in CATEGORIES:
        for kind in sorted({str(case.kind) for case in hidden if case.category == category}):
            every = tuple(case for case in hidden if (case.category, case.kind) == (category, kind))
            found.append(Cases(category, kind, every, _shown(every, examples)))
    return found


def _shown(every: Sequence[Case], examples: int) -> dict[str, tuple[Case, ...]]:
    named = [str(case.parameters.get("difficulty", "")) for case in every]
    known = [*DIFFICULTIES, *sorted(set(named) - set(DIFFICULTIES))]
    return {
        difficulty: tuple(case for case, of in zip(every, named, strict=True) if of == difficulty)[:examples]
        for difficulty in known
        if difficulty in DIFFICULTIES or difficulty in named
    }


def toys(described: Manifest) -> list[Case]:
    """All toy cases, the abnormal ones first."""
    return sorted(described.cases_of("toy"), key=lambda case: not case.label)


def series(described: Manifest) -> dict[str, list[Case]]:
    """The steps of each series, in their order, thinned evenly if there are many."""
    found = {name: cases for name, cases in described.analysis_sets().items() if name in SERIES}
    return {name: [cases[i] for i in _thinned(len(cases))] for name, cases in found.items()}


def proxy(described: Manifest) -> list[Case]:
    """Some cases of the toy-like set, one normal among them."""
    cases = described.analysis_sets().get(PROXY, [])
    normal = [case for case in cases if not case.label][:1]
    return [case for case in cases if case.label][: SHOWN_OF_PROXY - len(normal)] + normal


def _thinned(count: int) -> list[int]:
    if count <= STEPS:
        return list(range(count))
    return sorted({round(i * (count - 1) / (STEPS - 1)) for i in range(STEPS)})
