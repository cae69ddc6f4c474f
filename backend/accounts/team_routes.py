"""Teams over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Body, Response

from backend.accounts import schemas, teams
from backend.accounts.dependencies import CurrentUser, Organizer, PlatformOf
from backend.paging import After, Limit, Page, page

router = APIRouter(prefix="/challenges/{challenge}", tags=["teams"])


@router.post("/teams", status_code=201)
def found(
    challenge: str, order: schemas.NewTeam, user: CurrentUser, platform: PlatformOf
) -> schemas.TeamView:
    """Found a team."""
    with platform.database.write() as session:
        return schemas.TeamView.of(teams.create(session, challenge, user, order.name))


@router.get("/team")
def my_team(challenge: str, user: CurrentUser, platform: PlatformOf) -> schemas.TeamView:
    """Your team."""
    with platform.database.read() as session:
        return schemas.TeamView.of(teams.require_team(session, challenge, user))


@router.post("/team/invitations", status_code=201)
def invite(challenge: str, user: CurrentUser, platform: PlatformOf) -> schemas.InvitationView:
    """A secret that admits one person to your team; it is shown this once."""
    with platform.database.write() as session:
        token, expires_at = teams.invite(session, challenge, user)
        return schemas.InvitationView(token=token, expires_at=expires_at)


@router.post("/team/join")
def join(challenge: str, order: schemas.Joining, user: CurrentUser, platform: PlatformOf) -> schemas.TeamView:
    """Join the team that an invitation is for."""
    with platform.database.write() as session:
        return schemas.TeamView.of(teams.join(session, challenge, user, order.token))


@router.get("/team/invitations")
def list_invitations(challenge: str, user: CurrentUser, platform: PlatformOf) -> list[schemas.OpenInvitation]:
    """Your team's invitations that still admit somebody, without their secrets."""
    with platform.database.read() as session:
        team = teams.require_team(session, challenge, user)
        return [schemas.OpenInvitation(**vars(one)) for one in teams.invitations_of(session, team)]


@router.delete("/team/invitations/{invitation}", status_code=204, response_class=Response)
def revoke_invitation(challenge: str, invitation: str, user: CurrentUser, platform: PlatformOf) -> None:
    """End an invitation of your team."""
    with platform.database.write() as session:
        teams.revoke(session, challenge, user, invitation)


@router.post("/team/leave", status_code=204, response_class=Response)
def leave(challenge: str, user: CurrentUser, platform: PlatformOf) -> None:
    """Leave your team; what was handed in stays its own."""
    with platform.database.write() as session:
        teams.leave(session, challenge, user)


@router.get("/teams")
def list_teams(
    challenge: str, organizer: Organizer, platform: PlatformOf, limit: Limit = 100, after: After = ""
) -> Page[schemas.TeamView]:
    """All teams, for organizers."""
    with platform.database.read() as session:
        views = [schemas.TeamView.of(team) for team in teams.teams_of(session, challenge)]
    return page(views, lambda team: team.id, limit, after)


@router.post("/teams/{team}/approve")
def approve(
    challenge: str,
    team: str,
    organizer: Organizer,
    platform: PlatformOf,
    reason: Annotated[str, Body(embed=True, max_length=1000)] = "",
) -> schemas.TeamView:
    """Let a team submit, for organizers."""
    with platform.database.write() as session:
        return schemas.TeamView.of(teams.approve(session, challenge, team, organizer, reason))
