"""Does the way to rank matter?"""

from collections.abc import Iterator, Mapping
from typing import Any

from backend.results.questions.panel import Panel, Told, figure_of, names_of
from backend.results.report_tables import Column, Row, Table
from scoring.report.board import TITLES


def panels(told: Told) -> Iterator[Panel]:
    """The answer for one task of a report."""
    ranking = told["ranking"]
    ways = [way for way in ranking["methods"] if way["places"] is not None]
    columns = [Column("team", "Team")]
    columns += [Column(way["method"], way["title"], "place") for way in ways]
    rows = [
        Row({"team": name, **{way["method"]: way["places"][index] for way in ways}})
        for index, name in enumerate(names_of(told))
    ]
    yield Panel(
        "places",
        "Places under other ways to rank",
        "The first way counts. Level lines: the choice does not matter to that team.",
        Table(columns, rows),
        figure_of(told, "ranking_methods", "ranking"),
    )
    yield Panel(
        "agreement",
        "Agreement with the ranking that counts",
        "Kendall's τ-b with the mean of places; 1 is the same order.",
        _taus(ranking),
    )


def _taus(ranking: Mapping[str, Any]) -> Table:
    rows = []
    for way, tau in zip(ranking["methods"], ranking["tau_b"][0], strict=True):
        why = way["undefined"] or tau["undefined"]
        note = {"tau": f"undefined: {why}"} if tau["value"] is None else {}
        rows.append(Row({"method": TITLES[way["method"]][0], "tau": tau["value"]}, note))
    return Table([Column("method", "Way to rank"), Column("tau", "τ-b", "figure")], rows[1:])
