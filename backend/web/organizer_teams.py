"""For organizers: the teams of a challenge, which wait for approval, and which are baselines."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from backend.accounts import teams
from backend.accounts.dependencies import Organizer, PlatformOf
from backend.challenges import service as challenges
from backend.organizing.teams import handed_in
from backend.web.rendering import page, see

router = APIRouter()

Reason = Annotated[str, Form(max_length=1000, description="Why; it may be left out.")]


@router.get("/{challenge}/teams")
def list_teams(challenge: str, request: Request, user: Organizer, platform: PlatformOf) -> Response:
    with platform.database.read() as session:
        rules = challenges.get(session, challenge).spec
        found = teams.teams_of(session, challenge)
        counts = handed_in(session, challenge)
    return page(request, "organize_teams.html", user, rules=rules, teams=found, counts=counts)


@router.post("/{challenge}/teams/{team}/approve")
def approve(
    challenge: str, team: str, user: Organizer, platform: PlatformOf, reason: Reason = ""
) -> Response:
    with platform.database.write() as session:
        teams.approve(session, challenge, team, user, reason)
    return see(f"/organize/{challenge}/teams")


@router.post("/{challenge}/teams/{team}/baseline")
def mark(
    challenge: str,
    team: str,
    user: Organizer,
    platform: PlatformOf,
    baseline: Annotated[bool, Form()],
    reason: Reason = "",
) -> Response:
    with platform.database.write() as session:
        teams.mark(session, challenge, team, baseline, user, reason)
    return see(f"/organize/{challenge}/teams")
