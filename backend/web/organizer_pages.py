"""For organizers: every submission with its full story, and the teams that wait for approval."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from backend.accounts import teams
from backend.accounts.dependencies import Organizer, PlatformOf
from backend.challenges import service as challenges
from backend.paging import After
from backend.results import comparison, service, versions
from backend.web.rendering import STATE_WORDS, page, see

router = APIRouter(prefix="/organize")

VersionNumber = Annotated[int, Query(ge=0, le=1_000_000)]


@router.get("")
def submissions(
    request: Request,
    user: Organizer,
    platform: PlatformOf,
    challenge: str = "",
    state: str = "",
    after: After = "",
) -> Response:
    with platform.database.read() as session:
        known = [row.id for row in challenges.everything(session)]
        listed = service.list_everything(session, user, challenge or None, state or None, after=after)
        stories = {item.id: service.operator_view(session, item.id) for item in listed.items if item.failure}
    return page(
        request,
        "organize.html",
        user,
        page=listed,
        stories=stories,
        challenges=known,
        states=list(STATE_WORDS)[:8],
        challenge=challenge,
        state=state,
    )


@router.get("/{challenge}/teams")
def list_teams(challenge: str, request: Request, user: Organizer, platform: PlatformOf) -> Response:
    with platform.database.read() as session:
        rules = challenges.get(session, challenge).spec
        found = teams.teams_of(session, challenge)
    return page(request, "organize_teams.html", user, rules=rules, teams=found)


@router.post("/{challenge}/teams/{team}/approve")
def approve(challenge: str, team: str, user: Organizer, platform: PlatformOf) -> Response:
    with platform.database.write() as session:
        teams.approve(session, challenge, team, user)
    return see(f"/organize/{challenge}/teams")


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
