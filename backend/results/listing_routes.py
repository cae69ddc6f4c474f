"""A team's submissions over HTTP: exactly what their page shows, as JSON or CSV."""

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse

from backend.accounts.dependencies import CurrentUser, PlatformOf
from backend.challenges import service as challenges
from backend.results.board_routes import Format
from backend.results.listing import MOST_ROWS, Asked, SubmissionTable, table, to_csv

router = APIRouter()


@router.get("/challenges/{challenge}/submissions", response_model=SubmissionTable)
def list_submissions(
    challenge: str, user: CurrentUser, platform: PlatformOf, wish: Asked, format: Format = "json"
) -> SubmissionTable | PlainTextResponse:
    """Your team's submissions in a challenge, filtered and sorted; 1000 a page."""
    with platform.database.read() as session:
        found = table(session, user, challenges.get(session, challenge).id, wish, MOST_ROWS)
    return PlainTextResponse(to_csv(found), media_type="text/csv") if format == "csv" else found
