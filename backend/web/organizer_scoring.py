"""For organizers: scoring versions, and two boards side by side."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from backend.accounts.dependencies import Organizer, PlatformOf
from backend.challenges import service as challenges
from backend.results import comparison, versions
from backend.web.rendering import page

router = APIRouter()

VersionNumber = Annotated[int, Query(ge=0, le=1_000_000)]


@router.get("/{challenge}/scoring")
def scoring(
    challenge: str,
    request: Request,
    user: Organizer,
    platform: PlatformOf,
    task: str = "",
    old: VersionNumber = 0,
    new: VersionNumber = 0,
) -> Response:
    """Scoring versions, and two boards side by side: the public and the newest unless others are named."""
    with platform.database.read() as session:
        found = challenges.get(session, challenge)
        task = task or next(iter(found.spec.tasks))
        known = versions.visible(session, challenge, user)
        old = old or next(view.number for view in known if view.current)
        new = new or known[-1].number
        compared = comparison.compare(session, found, task, old, new, user)
    return page(
        request, "organize_scoring.html", user, rules=found.spec, task=task, versions=known, compared=compared
    )
