"""How results differ by category and kind of anomaly, for everybody once all is over.

Names of teams and their order are the board's, figures those of the report. Groups of few cases are left out,
with their names: a figure over them would tell of single hidden cases.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.db import now
from backend.errors import Forbidden
from backend.models.challenge import Challenge
from backend.models.user import User
from backend.results import disclosure
from backend.results.leaderboard import leaderboard, rounded
from backend.results.questions.categories import GROUPINGS
from backend.results.questions.panel import Panel
from backend.results.report import State, known_of
from backend.results.report_tables import Column, Row, Table
from backend.results.schemas import Board
from scoring.report.drawings import drawing

LEAST = 5
"""Abnormal cases that a group needs to be shown."""
PUBLIC = ("category", "kind")


@dataclass(frozen=True)
class Categories:
    """The heat maps of a task by dataset and grouping; `public` if not only organizers see them now."""

    challenge: str
    task: str
    state: State
    as_of: float | None
    public: bool
    panels: Sequence[Panel]


def categories(session: Session, challenge: Challenge, task: str, viewer: User | None) -> Categories:
    """What everybody may learn of categories and kinds; no panels while there is no report.

    Raises:
        NotFound: the challenge has no such task.
        Forbidden: it is not public yet.
    """
    spec, moment = challenge.spec, session.scalars(select(now())).one()
    public = disclosure.categories_are_public(spec, moment)
    if not public and not (viewer is not None and viewer.is_organizer):
        sentence = disclosure.reveal_sentence(spec, "Results by category of anomaly")
        raise Forbidden("categories_not_public", sentence)
    board, known = leaderboard(session, challenge, task, viewer), known_of(session, challenge)
    told = known.task(task)
    if told is None or known.document is None or known.document["scoring_version"] != board.scoring.number:
        return Categories(challenge.id, task, known.state if told is None else "pending", None, public, [])
    as_of = None if known.as_of is None else disclosure.rounded_moment(known.as_of)
    return Categories(challenge.id, task, known.state, as_of, public, _panels(board, told))


def _panels(board: Board, told: Mapping[str, Any]) -> list[Panel]:
    order = {one["submission"]: index for index, one in enumerate(told["entrants"])}
    return [
        _panel(board, name, grouping, groupings[grouping]["groups"], order)
        for name, groupings in told["groups"].items()
        for grouping in PUBLIC
        if groupings[grouping]["groups"]
    ]


def _panel(
    board: Board,
    dataset: str,
    grouping: str,
    groups: Sequence[Mapping[str, Any]],
    order: Mapping[str, int],
) -> Panel:
    shown = [group for group in groups if group["abnormal"] >= LEAST]
    teams = [
        Column(f"team.{row.submission}", row.team, "figure", True)
        for row in board.rows
        if row.submission in order
    ]
    rows = [_row(group, grouping, teams, order, board.decimals) for group in shown]
    title = f"{GROUPINGS[grouping]}, {dataset}"
    columns = [
        Column("group", grouping.capitalize()),
        Column("abnormal", "Abnormal", "count"),
        Column("normal", "Normal", "count"),
        *([Column("chance", "Chance", "share")] if any("positive_share" in group for group in shown) else []),
        *teams,
        Column("median", "Median", "figure"),
    ]
    text = "Average precision among as many normal as abnormal cases, the same ones for everybody."
    if len(shown) < len(groups):
        text += f" Not shown: {len(groups) - len(shown)} with fewer than {LEAST} abnormal cases."
    if not shown:
        return Panel(f"{grouping}-{dataset}", title, text, undefined=f"none has {LEAST} abnormal cases")
    drawn = {
        "rows_": [f"{row.cells['group']} ({row.cells['abnormal']} + {row.cells['normal']})" for row in rows],
        "columns": [team.title for team in teams],
        "values": [[row.cells[team.key] for team in teams] for row in rows],
        "value_range": [0, 1],
    }
    figure = drawing("heat_map", "categories", title, "", drawn, dataset)
    return Panel(f"{grouping}-{dataset}", title, text, Table(columns, rows), figure)


def _row(
    group: Mapping[str, Any],
    grouping: str,
    teams: Sequence[Column],
    order: Mapping[str, int],
    decimals: int,
) -> Row:
    found = group["average_precision"]["entrants"]
    values = [rounded(found[order[team.key.removeprefix("team.")]]["value"], decimals) for team in teams]
    known = [value for value in values if value is not None]
    share = group.get("positive_share")
    cells: dict[str, Any] = {
        "group": group["name"],
        "abnormal": group["abnormal"],
        "normal": group["normal"],
        "chance": None if share is None else float(f"{share:.2g}"),
        **{team.key: value for team, value in zip(teams, values, strict=True)},
        "median": rounded(median(known), decimals) if known else None,
    }
    return Row(cells)
