"""The first page, a challenge and its team page."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.accounts import teams
from backend.accounts.dependencies import CurrentUser, OptionalUser, PlatformOf
from backend.challenges import service as challenges
from backend.db import now
from backend.errors import MoodarenaError
from backend.intake import service as intake
from backend.intake.service import Quota
from backend.models.challenge import Challenge
from backend.models.submission import Submission
from backend.models.team import Team
from backend.models.user import User
from backend.platform import Platform
from backend.results import versions
from backend.web.rendering import page, see
from challenges import spec

router = APIRouter()

Short = Annotated[str, Form(max_length=300)]


@dataclass(frozen=True)
class Step:
    """What a visitor does next: a sentence, and where."""

    text: str
    button: str
    path: str


@dataclass(frozen=True)
class Card:
    """A challenge as the first page shows it; `policy` is how its tasks are scored now."""

    id: str
    rules: spec.Challenge
    policy: versions.Policy
    team: Team | None
    quotas: dict[str, Quota]
    step: Step
    open: bool


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


def card(session: Session, challenge: Challenge, user: User | None) -> Card:
    """A challenge as it looks to a visitor."""
    rules = challenge.spec
    team = teams.team_of(session, challenge.id, user) if user else None
    quotas = {task: intake.quota(session, rules, team, task) for task in rules.tasks} if team else {}
    return Card(
        id=challenge.id,
        rules=rules,
        policy=versions.policy_of(rules) | versions.current(session, challenge.id).policy,
        team=team,
        quotas=quotas,
        step=_next_step(session, challenge.id, user, team),
        open=_takes_counted(session, rules),
    )


def _next_step(session: Session, challenge: str, user: User | None, team: Team | None) -> Step:
    here = f"/challenges/{challenge}"
    if user is None:
        return Step("Sign up to take part; it takes a minute.", "Sign up", f"/sign-up?next={here}/team")
    if team is None:
        return Step("Found a team, or join one by invitation.", "Choose a team", f"{here}/team")
    if team.approved_at is None:
        return Step(f"{team.name} waits for the organizers' approval.", "See your team", f"{here}/team")
    if session.scalar(select(Submission.id).where(Submission.team_id == team.id).limit(1)) is None:
        return Step("Try your image on the toy cases; that is never counted.", "Submit", f"{here}/submit")
    return Step(f"You take part as {team.name}.", "Your submissions", f"{here}/submissions")


def _takes_counted(session: Session, rules: spec.Challenge) -> bool:
    moment, dates = session.scalars(select(now())).one(), rules.dates
    begun = dates.opens is None or moment >= dates.opens.timestamp()
    return begun and (dates.closes is None or moment < dates.closes.timestamp())


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
    status = error.status if error else 200
    return page(request, "team.html", user, status, card=found, error=error, invitation=invitation)


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
