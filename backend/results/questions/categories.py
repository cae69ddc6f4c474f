"""Which anomalies does who find?"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from backend.results.questions.panel import Panel, Told, by_team, figure_of, teams
from backend.results.report_tables import Column, Row, Table, Target

GROUPINGS = {
    "category": "Categories",
    "kind": "Kinds of anomaly",
    "difficulty": "Difficulty as people perceive it",
}


def panels(told: Told) -> Iterator[Panel]:
    """The answer for one task of a report."""
    for name, groupings in told["groups"].items():
        for grouping, title in GROUPINGS.items():
            yield group_panel(told, name, grouping, groupings[grouping], title)
    for name, sets in told["analysis"]["datasets"].items():
        found = sets.get("equal-counts", {}).get("groups", {})
        for grouping in ("category", "kind"):
            if found.get(grouping, {}).get("groups"):
                yield _equal_counts(told, name, grouping, found[grouping])


def group_panel(told: Told, dataset: str, grouping: str, found: Mapping[str, Any], title: str) -> Panel:
    """The heat map of a grouping; its cells lead to their cases."""
    id_, title = f"{grouping}-{dataset}", f"{title}, {dataset}"
    if found["undefined"] is not None:
        return Panel(id_, title, "", undefined=found["undefined"])
    targets = [
        {"dataset": dataset, "grouping": grouping, "group": group["name"]} for group in found["groups"]
    ]
    return Panel(
        id_,
        title,
        "Average precision among as many normal as abnormal cases, the same ones for everybody. "
        "A cell leads to its cases.",
        group_table(told, found["groups"], [Column("group", grouping.capitalize())], targets),
        figure_of(told, "heat_map", "categories", dataset, title),
        links=[[target] * len(told["entrants"]) for target in targets],
    )


def _equal_counts(told: Told, dataset: str, grouping: str, found: Mapping[str, Any]) -> Panel:
    title = f"{GROUPINGS[grouping]}, equal counts, {dataset}"
    return Panel(
        f"{grouping}-equal-{dataset}",
        title,
        "The same on the analysis set that has as many cases of each kind; it never counts.",
        group_table(told, found["groups"], [Column("group", grouping.capitalize())]),
        figure_of(told, "heat_map", "analysis", dataset, title),
    )


def group_table(
    told: Told,
    groups: Sequence[Mapping[str, Any]],
    named: Sequence[Column],
    targets: Sequence[Target] = (),
) -> Table:
    """Groups of cases by row: how many, and everybody's figure; `targets` are where the cells lead."""
    shared = any("positive_share" in group for group in groups)
    columns = [
        *named,
        Column("abnormal", "Abnormal", "count"),
        Column("normal", "Normal", "count"),
        *([Column("chance", "Chance", "share")] if shared else []),
        *teams(told),
        Column("median", "Median", "figure"),
    ]
    rows = [
        _group_row(told, group, targets[number] if targets else None) for number, group in enumerate(groups)
    ]
    return Table(columns, rows)


def _group_row(told: Told, group: Mapping[str, Any], target: Target | None) -> Row:
    found = group["average_precision"]
    cells = {
        "group": group.get("name"),
        "low": group.get("low"),
        "high": group.get("high"),
        "abnormal": group["abnormal"],
        "normal": group["normal"],
        "chance": group.get("positive_share"),
        "median": found["median"],
        **by_team(told, [one["value"] for one in found["entrants"]]),
    }
    linked = [column.key for column in teams(told)]
    return Row(cells, links=dict.fromkeys(["group", *linked], target) if target else {})
