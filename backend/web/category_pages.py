"""Results by category of anomaly, for everybody once all is over."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from markupsafe import Markup

from backend.accounts.dependencies import OptionalUser, PlatformOf
from backend.challenges import service as challenges
from backend.errors import Forbidden
from backend.results.board_categories import Categories, categories
from backend.results.report_tables import Table
from backend.results.report_view import AskedPanel, sorted_panels, task_of
from backend.web.rendering import page
from backend.web.tables import ROWS, direction, turned
from scoring.report.drawings import draw
from scoring.report.page import p_value, percent

router = APIRouter()


@dataclass(frozen=True)
class At:
    """Addresses of this page, and of the same for programs."""

    challenge: str
    task: str

    def page(self, task: str = "", **more: str) -> str:
        """This page."""
        path = f"/challenges/{self.challenge}/leaderboard/categories"
        return f"{path}?{urlencode({'task': task or self.task, **more})}"

    def heads(self, panel: str, table: Table) -> dict[str, str]:
        """By column this page with a table sorted by it."""
        return {
            one.key: self.page(panel=panel, sort=one.key, order=turned(table, one)) + f"#table-{panel}"
            for one in table.columns
        }

    def api(self, panel: str, table: Table, form: str) -> str:
        """Exactly one table for programs."""
        sorted_ = {"sort": table.sort, "order": table.order} if table.sort else {}
        more = {"task": self.task, "panel": panel, **sorted_, "format": form}
        return f"/api/v1/challenges/{self.challenge}/leaderboard/categories?{urlencode(more)}"


@router.get("/challenges/{challenge}/leaderboard/categories")
def show_categories(
    challenge: str,
    request: Request,
    user: OptionalUser,
    platform: PlatformOf,
    wish: AskedPanel,
    task: str = "",
) -> Response:
    with platform.database.read() as session:
        found = challenges.get(session, challenge)
        task = task_of(found, task)
        context: dict[str, Any] = {"rules": found.spec, "task": task, "at": At(challenge, task), "wish": wish}
        try:
            told = categories(session, found, task, user)
        except Forbidden as refusal:
            context |= {"refusal": refusal}
            return page(request, "board_categories.html", user, refusal.status, **context)
    context |= {"refusal": None, **_told(told), "panels": sorted_panels(told.panels, wish)}
    return page(request, "board_categories.html", user, **context)


def _told(told: Categories) -> Mapping[str, Any]:
    figures = [(one.id, one.figure) for one in told.panels if one.figure is not None]
    return {
        "told": told,
        # The figures escape what they are given.
        "drawn": {id_: Markup(draw(dict(one), f"figure-{n}")) for n, (id_, one) in enumerate(figures)},
        "rows_shown": ROWS,
        "direction": direction,
        "percent": percent,
        "p_value": p_value,
    }
