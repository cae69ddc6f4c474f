"""What is published about the people of a set: volumes, ages, contrast, by variant and by part.

Only properties of people before any anomaly are told, never kinds or labels, so the numbers may be shown to
everybody. Somebody whose scan is there several times counts once in each part.
"""

import csv
import io
import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from datasets.manifest import Case, Manifest
from datasets.volume import write_bytes

BINS = 16
ALL = "all"
SHORT = ("csf",)
UNITS = {"ml": "ml", "mm": "mm", "hu": "HU"}
HIDDEN = "hidden"  # test and analysis cases
_PARTS = {"training": "training", "toy": "toy", "test": HIDDEN, "analysis": HIDDEN}
_COLUMNS = ("dataset", "property", "unit", "group", "count", "mean", "sd", "minimum", "median", "maximum")


@dataclass(frozen=True)
class Summary:
    """Numbers of one group of people; `sd` is that of the sample, 0 for a single person."""

    count: int
    mean: float
    sd: float
    minimum: float
    median: float
    maximum: float


@dataclass(frozen=True)
class Measured:
    """A property that is a number: `groups` by name, first `all`; `counts` of everybody between `edges`."""

    property: str
    unit: str
    groups: Mapping[str, Summary]
    edges: Sequence[float]
    counts: Sequence[int]


@dataclass(frozen=True)
class Counted:
    """A property that is a word: how many people have which, by group."""

    property: str
    groups: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class Statistics:
    """Of one dataset. `people` by group."""

    challenge: str
    dataset: str
    version: str
    people: Mapping[str, int]
    measured: Sequence[Measured]
    counted: Sequence[Counted]


def of(described: Manifest) -> Statistics:
    """The statistics of everybody that a dataset shows."""
    groups = _groups(described.cases)
    names = list(dict.fromkeys(name for case in described.cases for name in case.properties))
    numbers = [name for name in names if _values(groups[ALL], name)]
    words = [name for name in names if name not in numbers and name != "variant"]
    return Statistics(
        described.challenge,
        described.dataset,
        described.version,
        {name: len(cases) for name, cases in groups.items()},
        [_measured(name, groups) for name in numbers],
        [_counted(name, groups) for name in words if _words(groups[ALL], name)],
    )


def write(found: Sequence[Statistics], folder: Path) -> list[Path]:
    """Write `statistics.json`, with histograms, and `statistics.csv`, a line a property and group."""
    told = json.dumps([as_json(one) for one in found], indent=1, ensure_ascii=False) + "\n"
    texts = {folder / "statistics.json": told, folder / "statistics.csv": _table(found)}
    for path, text in texts.items():
        write_bytes(path, text.encode())
    return list(texts)


def as_json(found: Statistics) -> dict[str, Any]:
    """Plain data."""
    return asdict(found)


def title(name: str) -> str:
    """The name of a property for people, without its unit."""
    words = name.split("_")
    kept = words[:-1] if words[-1] in UNITS else words
    return " ".join(word.upper() if word in SHORT else word for word in kept)


def _groups(cases: Sequence[Case]) -> dict[str, list[Case]]:
    """Everybody, then by variant, then by part."""
    people = _once(cases)
    groups = {ALL: people}
    for variant in _words(people, "variant"):
        groups[variant] = [case for case in people if case.properties.get("variant") == variant]
    for part in dict.fromkeys(_PARTS.values()):
        chosen = _once([case for case in cases if _PARTS[case.part] == part])
        if chosen:
            groups[part] = chosen
    return groups


def _once(cases: Iterable[Case]) -> list[Case]:
    """One case of each person, as far as their properties tell."""
    people = {json.dumps(case.properties, sort_keys=True): case for case in cases if case.properties}
    return list(people.values())


def _values(cases: Iterable[Case], name: str) -> list[float]:
    found = (case.properties.get(name) for case in cases)
    return [float(value) for value in found if isinstance(value, int | float) and math.isfinite(value)]


def _words(cases: Iterable[Case], name: str) -> Counter[str]:
    found = (case.properties.get(name) for case in cases)
    return Counter(sorted(value for value in found if isinstance(value, str)))


def _measured(name: str, groups: Mapping[str, Sequence[Case]]) -> Measured:
    values = {group: _values(cases, name) for group, cases in groups.items()}
    counts, edges = np.histogram(values[ALL], bins=BINS)
    return Measured(
        name,
        UNITS.get(name.rsplit("_", 1)[-1], ""),
        {group: _summary(one) for group, one in values.items() if one},
        edges.tolist(),
        counts.tolist(),
    )


def _summary(values: Sequence[float]) -> Summary:
    array = np.array(values, dtype=np.float64)
    spread = float(array.std(ddof=1)) if array.size > 1 else 0.0
    return Summary(
        array.size,
        float(array.mean()),
        spread,
        float(array.min()),
        float(np.median(array)),
        float(array.max()),
    )


def _counted(name: str, groups: Mapping[str, Sequence[Case]]) -> Counted:
    return Counted(name, {group: dict(_words(cases, name)) for group, cases in groups.items()})


def _table(found: Sequence[Statistics]) -> str:
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(_COLUMNS)
    for one in found:
        for measured in one.measured:
            for group, summary in measured.groups.items():
                lines.writerow(
                    [one.dataset, measured.property, measured.unit, group, *asdict(summary).values()]
                )
    return text.getvalue()
