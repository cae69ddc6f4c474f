"""Results by category of anomaly over HTTP: exactly what the page shows, as JSON or CSV."""

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from backend.accounts.dependencies import OptionalUser, PlatformOf
from backend.challenges import service as challenges
from backend.results.board_categories import categories
from backend.results.report_view import (
    AskedPanel,
    Format,
    named_table,
    panel_as_json,
    sorted_panels,
    task_of,
)

router = APIRouter()


@router.get("/challenges/{challenge}/leaderboard/categories", response_class=Response)
def show_categories(
    challenge: str,
    user: OptionalUser,
    platform: PlatformOf,
    wish: AskedPanel,
    task: str = "",
    format: Format = "json",
) -> Response:
    """How results differ by category and kind of anomaly, once that is public."""
    with platform.database.read() as session:
        found = challenges.get(session, challenge)
        told = categories(session, found, task_of(found, task), user)
    panels = sorted_panels(told.panels, wish)
    if format == "json":
        view = {"challenge": told.challenge, "task": told.task, "state": told.state, "as_of": told.as_of}
        return JSONResponse(view | {"panels": [panel_as_json(one) for one in panels]})
    return PlainTextResponse(named_table(panels, wish.panel).as_csv(), media_type="text/csv")
