"""The audit log over HTTP, for organizers: exactly what its page shows, as JSON or CSV."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import PlainTextResponse

from backend.accounts.dependencies import Organizer, PlatformOf
from backend.audit import log
from backend.audit.log import Asked
from backend.audit.schemas import AuditView
from backend.paging import Sheet

router = APIRouter(tags=["organizing"])

Format = Annotated[Literal["json", "csv"], Query(description="CSV is a table of the items.")]


@router.get("/audit", response_model=Sheet[AuditView])
def show_log(
    organizer: Organizer, platform: PlatformOf, wish: Asked, format: Format = "json"
) -> Sheet[AuditView] | PlainTextResponse:
    """Who did what, when and why, newest first. For organizers."""
    with platform.database.read() as session:
        sheet = log.entries(session, wish)
    return PlainTextResponse(log.table(sheet), media_type="text/csv") if format == "csv" else sheet
