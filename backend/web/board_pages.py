"""The leaderboard: places with their intervals, why they are what they are, and the same for programs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from markupsafe import Markup
from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.accounts.dependencies import OptionalUser, PlatformOf
from backend.challenges import service as challenges
from backend.db import now
from backend.errors import Forbidden
from backend.models.challenge import Challenge
from backend.results import disclosure
from backend.results.board_export import citation
from backend.results.board_view import Asked, Wish, seen
from backend.results.leaderboard import leaderboard
from backend.results.reasons import reasons
from backend.results.reveal import state_of
from backend.results.schemas import Board
from backend.web.rendering import page
from challenges import spec
from scoring.report.figures.intervals import places_with_intervals

router = APIRouter()

MOST_DRAWN = 60
"""Rows of the figure; with more of them the table alone is easier to read."""


@dataclass(frozen=True)
class Addresses:
    """Where the same board is seen otherwise."""

    challenge: str
    task: str
    wish: Wish

    def page(self, task: str = "", **changed: str) -> str:
        """This page, with something of the wish changed."""
        parameters = {"task": task or self.task, **self.wish.parameters(**changed)}
        return f"/challenges/{self.challenge}/leaderboard?{urlencode(parameters)}"

    def sorted(self, by: str) -> str:
        """This page, sorted by a column; by the one that it is sorted by already, the other way round."""
        if by != self.wish.sort:
            return self.page(sort=by, order="")
        return self.page(order="asc" if self.wish.descends else "desc")

    def api(self, form: str) -> str:
        """Exactly this view for programs."""
        more = {"format": form} if form == "csv" else {}
        parameters = {"task": self.task, **self.wish.parameters(), **more}
        return f"/api/v1/challenges/{self.challenge}/leaderboard?{urlencode(parameters)}"

    def direction(self, by: str) -> str | None:
        """What `aria-sort` says of a column."""
        if by != self.wish.sort:
            return None
        return "descending" if self.wish.descends else "ascending"


@router.get("/challenges/{challenge}/leaderboard")
def show_board(
    challenge: str, request: Request, user: OptionalUser, platform: PlatformOf, wish: Asked, task: str = ""
) -> Response:
    with platform.database.read() as session:
        found = challenges.get(session, challenge)
        rules, task = found.spec, task or next(iter(found.spec.tasks))
        here = Addresses(challenge, task, wish)
        try:
            board = leaderboard(session, found, task, user, as_of=wish.day, live=wish.live == "yes")
        except Forbidden as refusal:
            context = {"rules": rules, "task": task, "at": here, "wish": wish, "refusal": refusal}
            return page(request, "leaderboard.html", user, refusal.status, **context)
        told = _told(session, found, board, here, platform.settings.base_url)
    return page(request, "leaderboard.html", user, rules=rules, task=task, at=here, wish=wish, **told)


def _told(
    session: Session, challenge: Challenge, board: Board, here: Addresses, base_url: str
) -> Mapping[str, Any]:
    moment = session.scalars(select(now())).one()
    today = disclosure.utc(moment).date()
    day = board.as_of or today
    address = base_url.rstrip("/") + Addresses(challenge.id, board.task, Wish(as_of=str(day))).page()
    return {
        "refusal": None,
        "board": seen(board, here.wish),
        "reasons": reasons(board),
        "figure": _figure(board, challenge.spec),
        "public": disclosure.board_is_public(challenge.spec, moment),
        "categories": disclosure.categories_are_public(challenge.spec, moment),
        "validated": has_validation(board),
        "state": state_of(challenge),
        "today": str(today),
        "citation": citation(board, challenge.spec, address, day),
    }


def has_validation(board: Board) -> bool:
    """Whether there is a second arrangement of batches to show."""
    return any(figure is not None for row in board.rows for figure in row.validation.values())


def _figure(board: Board, rules: spec.Challenge) -> Markup | None:
    """The places and intervals of the whole board, once the intervals are there."""
    if board.uncertainty.state != "computed" or not 0 < board.total <= MOST_DRAWN:
        return None
    drawn = places_with_intervals(
        [row.team for row in board.rows],
        [row.place for row in board.rows],
        [row.interval for row in board.rows],
        prefix="places",
        title=f"Places in the task {rules.tasks[board.task].title}, with their intervals",
    )
    return Markup(drawn)  # the figure escapes what it is given
