"""How do size and contrast matter?"""

from collections.abc import Iterator, Mapping
from typing import Any

from backend.results.questions.categories import group_table
from backend.results.questions.panel import Panel, Told, by_team, figure_of, teams
from backend.results.report_tables import Column, Row, Table
from scoring.report.drawings import SERIES_LABELS, STEP_TITLES

CURVES = {"size": "Volume of the anomaly, mm³", "contrast": "Intensity of the anomaly"}


def panels(told: Told) -> Iterator[Panel]:
    """The answer for one task of a report."""
    for name, groupings in told["groups"].items():
        for grouping, label in CURVES.items():
            found, id_, title = groupings[grouping], f"{grouping}-{name}", f"By {grouping}, {name}"
            if found["undefined"] is not None:
                yield Panel(id_, title, "", undefined=found["undefined"])
                continue
            named = [Column("low", f"{label}: from", "count"), Column("high", "to", "count")]
            text = "Each point is a bin of test cases, among as many normal ones."
            figure = figure_of(told, "curves", "categories", name, title)
            yield Panel(id_, title, text, group_table(told, found["groups"], named), figure)
    for name, sets in told["analysis"]["datasets"].items():
        for series, label in SERIES_LABELS.items():
            if series in sets:
                yield from _series(told, name, series, label, sets[series])


def _series(told: Told, dataset: str, name: str, label: str, found: Mapping[str, Any]) -> Iterator[Panel]:
    first = found["entrants"][0] if found["entrants"] else {}
    for key in first:
        title = f"{STEP_TITLES[key]}, {name.replace('-', ' ')}, {dataset}"
        columns = [Column("step", label, "count"), *teams(told)]
        rows = []
        for number, step in enumerate(found["steps"]):
            told_ = [one[key][number] for one in found["entrants"]]
            notes = {
                column.key: f"undefined: {one['undefined']}"
                for column, one in zip(teams(told), told_, strict=True)
                if one["value"] is None
            }
            rows.append(Row({"step": step["value"], **by_team(told, [one["value"] for one in told_])}, notes))
        figure = figure_of(told, "curves", "analysis", dataset, title)
        text = "The analysis set that never counts: one scan with one sphere a point."
        yield Panel(f"{name}-{key.replace('_', '-')}-{dataset}", title, text, Table(columns, rows), figure)
