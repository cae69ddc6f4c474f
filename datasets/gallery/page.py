"""The gallery as a page for people: one file that needs no script, no network and nothing beside it."""

import sys
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from statistics import fmean, median
from typing import Any, get_args

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from pydantic import TypeAdapter, ValidationError

from datasets.anomalies.kinds import Kinds
from datasets.anomalies.scene import CATEGORIES, DIFFICULTIES, Group
from datasets.gallery.choice import Cases
from datasets.gallery.contents import Shown
from datasets.gallery.histograms import histogram
from datasets.leaks.findings import AuditReport
from datasets.leaks.report import section
from datasets.manifest import Case
from datasets.statistics import Measured, title

SERIES = {"size-series": "Size series", "contrast-series": "Contrast series"}
_FACTS = ("sex", "variant", "position", "modality")  # of people in the contact sheet


class AuditUnreadable(ValueError):
    """The file of the leak audit is not one; the message says what to do."""


def to_html(shown: Sequence[Shown], audit: AuditReport | None, kinds: Kinds) -> bytes:
    """One self-contained HTML file as UTF-8."""
    page = _environment().get_template("gallery.html.j2")
    leaks = None if audit is None else Markup(section(audit))  # escapes what it is given
    return (page.render(shown=shown, leaks=leaks, told=_Told(kinds)) + "\n").encode()


def read_audit(path: Path) -> AuditReport | None:
    """What `dataset audit` left; None if there is nothing.

    Raises:
        AuditUnreadable: it is damaged.
    """
    if not path.is_file():
        return None
    try:
        return TypeAdapter(AuditReport).validate_json(path.read_bytes())
    except ValidationError as error:
        raise AuditUnreadable(f"{path} is damaged, or of another version; run the audit again") from error


def _environment() -> Environment:
    environment = Environment(
        loader=ChoiceLoader([PackageLoader("datasets.gallery"), PackageLoader("scoring.report")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "digits": digits, "title": title}
    environment.globals |= {
        "difficulties": DIFFICULTIES, "drawn_histogram": _Histograms(), "series_titles": SERIES,
        "step": step, "person": person, "facts": facts,
    }  # fmt: skip
    return environment


class _Histograms:
    """Draws histograms, each with a prefix of its own for ids."""

    def __init__(self) -> None:
        self._count = 0

    def __call__(self, measured: Measured) -> Markup:
        self._count += 1
        return Markup(histogram(measured, f"h{self._count}"))  # escapes what it is given


class _Told:
    """What is said of kinds."""

    def __init__(self, kinds: Kinds) -> None:
        self._kinds = kinds

    def group(self, cases: Cases) -> str:
        kind = self._kinds.of(cases.category).get(cases.kind)
        return kind.group if kind else ""

    def groups(self, kinds: Sequence[Cases]) -> list[tuple[str, list[Cases]]]:
        """Kinds under the names of their groups, in the order of the taxonomy."""
        ordered = sorted(kinds, key=self._taxonomic)
        return [(name, list(members)) for name, members in groupby(ordered, key=self._heading)]

    def _heading(self, cases: Cases) -> str:
        return f"{cases.category.title()}: {self.group(cases) or 'of unknown group'}"

    def _taxonomic(self, cases: Cases) -> tuple[int, int]:
        groups = [*get_args(Group), ""]
        return CATEGORIES.index(cases.category), groups.index(self.group(cases))

    def about(self, cases: Cases) -> str:
        """The first sentence of the kind's file."""
        kind = self._kinds.of(cases.category).get(cases.kind)
        told = sys.modules[kind.__module__].__doc__ if kind else None
        return (told or "").strip().split("\n")[0]

    def attempts(self, cases: Cases) -> str:
        values = cases.numbers("attempts")
        return f"{fmean(values):.1f} (at most {max(values):.0f})" if values else "–"

    def middle(self, cases: Cases, name: str, difficulty: str) -> str:
        values = cases.numbers(name, difficulty)
        return number(median(values)) if values else "–"


def digits(value: float) -> str:
    """Three significant digits, or all before the point."""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:#.3g}".rstrip(".")


def number(value: float) -> str:
    """Three significant digits, whole numbers as they are."""
    if value == int(value) or abs(value) >= 1000:
        return f"{value:.0f}"
    return f"{value:.3g}"


def step(case: Case) -> str:
    """What is special about a step of a series."""
    radius, intensity = case.parameters.get("radius", 0.0), case.parameters.get("intensity", 0.0)
    if case.analysis == "size-series":
        return f"radius {number(radius)}" if radius else "no sphere"
    return f"intensity {number(intensity)}"


def person(case: Case) -> str:
    """Who it is, as far as the properties say."""
    known = case.properties
    age = known.get("age")
    words = [f"{age:.0f} years"] if isinstance(age, float | int) else []
    words += [str(known[name]) for name in _FACTS if name in known]
    return ", ".join(dict.fromkeys(words))


def facts(case: Case) -> str:
    """How large and how clear an anomaly is, after how many draws."""
    told: Mapping[str, Any] = case.parameters
    parts = []
    if "voxels" in told:
        parts.append(f"{told['voxels']} voxels")
    if "contrast" in told:
        parts.append(f"contrast {number(told['contrast'])}")
    if told.get("attempts", 1) > 1:
        parts.append(f"draw {told['attempts']}")
    return ", ".join(parts)
