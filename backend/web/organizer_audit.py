"""For organizers: the audit log."""

from fastapi import APIRouter, Request, Response

from backend.accounts.dependencies import Organizer, PlatformOf
from backend.audit import log
from backend.audit.log import Asked
from backend.audit.schemas import AuditView
from backend.challenges import service as challenges
from backend.web.organizer_tables import Table
from backend.web.rendering import page

router = APIRouter()


@router.get("/audit")
def audit_log(request: Request, user: Organizer, platform: PlatformOf, wish: Asked) -> Response:
    """Who did what, when and why."""
    with platform.database.read() as session:
        sheet, known = log.entries(session, wish), log.known(session)
        titles = {row.id: row.title for row in challenges.everything(session)}
    table = Table("/organize/audit", "/api/v1/audit", wish)
    return page(
        request,
        "organize_audit.html",
        user,
        sheet=sheet,
        known=known,
        titles=titles,
        table=table,
        wish=wish,
        place_of=place_of,
    )


def place_of(entry: AuditView) -> str | None:
    """The page of what an entry is about, if there is one."""
    noun = entry.action.partition(".")[0]
    if noun == "submission":
        return f"/submissions/{entry.subject}"
    pages = {"team": "teams", "scoring": "scoring", "board": "reveal", "setting": "settings"}
    if entry.challenge and noun in pages:
        return f"/organize/{entry.challenge}/{pages[noun]}"
    return f"/challenges/{entry.challenge}" if entry.challenge else None
