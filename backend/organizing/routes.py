"""The organizers' daily work over HTTP: what goes on, submissions of all teams, deeds for many of them."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import PlainTextResponse
from sse_starlette import EventSourceResponse

from backend.accounts.dependencies import Organizer, PlatformOf
from backend.organizing import deeds, live, search
from backend.organizing.overview import overview
from backend.organizing.schemas import DeedName, Done, Operations, Order, SubmissionRow
from backend.organizing.search import Asked
from backend.paging import Sheet

router = APIRouter(prefix="/operations", tags=["organizing"])

Format = Annotated[Literal["json", "csv"], Query(description="CSV is a table of the items.")]
HEARTBEAT_SECONDS = 15


@router.get("")
def show_operations(organizer: Organizer, platform: PlatformOf) -> Operations:
    """Queue, workers, disk, failures, and what needs attention."""
    with platform.database.read() as session:
        return overview(session, platform.storage, platform.settings)


@router.get("/events", response_class=EventSourceResponse)
def watch_operations(organizer: Organizer, platform: PlatformOf) -> EventSourceResponse:
    """Events `state` whenever something of it changes; ask again for what."""
    return EventSourceResponse(live.changes(platform), ping=HEARTBEAT_SECONDS)


@router.get("/submissions", response_model=Sheet[SubmissionRow])
def list_submissions(
    organizer: Organizer, platform: PlatformOf, wish: Asked, format: Format = "json"
) -> Sheet[SubmissionRow] | PlainTextResponse:
    """Submissions of all teams that fit, exactly as the page shows them."""
    with platform.database.read() as session:
        sheet = search.search(session, organizer, wish)
    return PlainTextResponse(search.table(sheet), media_type="text/csv") if format == "csv" else sheet


@router.post("/submissions/{deed}")
def carry_out(deed: DeedName, order: Order, organizer: Organizer, platform: PlatformOf) -> list[Done]:
    """Cancel, rerun, rescore, withdraw or reinstate submissions; each is told whether it was done."""
    return deeds.carry_out(platform, organizer, deed, order.submissions, order.reason)
