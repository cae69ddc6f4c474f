"""The leaderboard over HTTP: exactly what its page shows, as JSON or CSV."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import PlainTextResponse

from backend.accounts.dependencies import OptionalUser, PlatformOf
from backend.challenges import service as challenges
from backend.results.board_export import as_csv
from backend.results.board_view import Asked, seen
from backend.results.leaderboard import leaderboard
from backend.results.schemas import Board

router = APIRouter()

Format = Annotated[Literal["json", "csv"], Query(description="CSV is a table of the rows.")]
VersionNumber = Annotated[int, Query(ge=1, le=1_000_000, description="For organizers.")]


@router.get("/challenges/{challenge}/leaderboard", response_model=Board)
def show_leaderboard(
    challenge: str,
    task: str,
    user: OptionalUser,
    platform: PlatformOf,
    wish: Asked,
    format: Format = "json",
    scoring: VersionNumber | None = None,
) -> Board | PlainTextResponse:
    """The ranking of one task; `scoring` chooses another scoring version, for organizers."""
    with platform.database.read() as session:
        found = challenges.get(session, challenge)
        board = leaderboard(session, found, task, user, scoring, wish.day, live=wish.live == "yes")
        board = seen(board, wish)
    return PlainTextResponse(as_csv(board), media_type="text/csv") if format == "csv" else board
