"""For organizers: the dashboard, and the pages that hang on it."""

from fastapi import APIRouter, Request, Response

from backend.accounts.dependencies import Organizer, PlatformOf
from backend.organizing.overview import overview
from backend.web import organizer_audit, organizer_scoring, organizer_submissions, organizer_teams
from backend.web.rendering import page

router = APIRouter(prefix="/organize")
for part in (organizer_submissions, organizer_audit, organizer_teams, organizer_scoring):
    router.include_router(part.router)


@router.get("")
def dashboard(request: Request, user: Organizer, platform: PlatformOf) -> Response:
    with platform.database.read() as session:
        seen = overview(session, platform.storage, platform.settings)
    return page(request, "organize.html", user, seen=seen)
