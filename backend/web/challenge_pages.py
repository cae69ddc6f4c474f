"""The first page, a challenge and its team page."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from backend.accounts import teams
from backend.accounts.dependencies import CurrentUser, OptionalUser, PlatformOf
from backend.challenges import service as challenges
from backend.errors import Conflict, MoodarenaError
from backend.models.user import User
from backend.platform import Platform
from backend.web.cards import card
from backend.web.rendering import page, see

router = APIRouter()

Short = Annotated[str, Form(max_length=300)]


@router.get("/")
def home(request: Request, user: OptionalUser, platform: PlatformOf) -> Response:
    with platform.database.read() as session:
        cards = [card(session, challenge, user) for challenge in challenges.everything(session)]
    return page(request, "home.html", user, cards=cards)


@router.get("/challenges/{challenge}")
def show(challenge: str, request: Request, user: OptionalUser, platform: PlatformOf) -> Response:
    with platform.database.read() as session:
        found = card(session, challenges.get(session, challenge), user)
        files = challenges.public_files(session, platform.storage, challenge) if user else []
    kit = [file for file in files if file.part != "training"]
    return page(request, "challenge.html", user, card=found, files=kit, training=len(files) - len(kit))


@router.get("/challenges/{challenge}/team")
def show_team(challenge: str, request: Request, user: CurrentUser, platform: PlatformOf) -> Response:
    return _team(challenge, request, user, platform)


def _team(
    challenge: str,
    request: Request,
    user: User,
    platform: Platform,
    error: MoodarenaError | None = None,
    invitation: tuple[str, float] | None = None,
) -> Response:
    with platform.database.read() as session:
        found = card(session, challenges.get(session, challenge), user)
        team = found.team
        told = {
            "card": found,
            "founder": teams.founder_of(team) if team else None,
            "invitations": teams.invitations_of(session, team) if team else [],
            "stay": teams.may_leave(session, team, user) if team else None,
        }
    status = error.status if error else 200
    return page(request, "team.html", user, status, **told, error=error, invitation=invitation)


@router.post("/challenges/{challenge}/team")
def found_team(
    challenge: str, request: Request, user: CurrentUser, platform: PlatformOf, name: Short = ""
) -> Response:
    try:
        with platform.database.write() as session:
            teams.create(session, challenge, user, name)
    except MoodarenaError as error:
        return _team(challenge, request, user, platform, error)
    return see(f"/challenges/{challenge}/team")


@router.post("/challenges/{challenge}/team/join")
def join_team(
    challenge: str, request: Request, user: CurrentUser, platform: PlatformOf, invitation: Short = ""
) -> Response:
    try:
        with platform.database.write() as session:
            teams.join(session, challenge, user, invitation.strip())
    except MoodarenaError as error:
        return _team(challenge, request, user, platform, error)
    return see(f"/challenges/{challenge}/team")


@router.post("/challenges/{challenge}/team/invitations")
def invite(challenge: str, request: Request, user: CurrentUser, platform: PlatformOf) -> Response:
    with platform.database.write() as session:
        invitation = teams.invite(session, challenge, user)
    return _team(challenge, request, user, platform, invitation=invitation)


@router.post("/challenges/{challenge}/team/invitations/{invitation}/revoke")
def revoke_invitation(challenge: str, invitation: str, user: CurrentUser, platform: PlatformOf) -> Response:
    with platform.database.write() as session:
        teams.revoke(session, challenge, user, invitation)
    return see(f"/challenges/{challenge}/team")


@router.post("/challenges/{challenge}/team/leave")
def leave_team(challenge: str, request: Request, user: CurrentUser, platform: PlatformOf) -> Response:
    try:
        with platform.database.write() as session:
            teams.leave(session, challenge, user)
    except Conflict as error:
        return _team(challenge, request, user, platform, error)
    return see(f"/challenges/{challenge}/team")
