"""Teams: one per person and challenge; joined by an invitation that works once."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, selectinload

from backend.accounts import passwords
from backend.audit import service as audit
from backend.challenges import service as challenges
from backend.db import now
from backend.errors import BadInput, Conflict, NotFound
from backend.models.submission import Submission
from backend.models.team import Invitation, Membership, Team
from backend.models.user import User

INVITATION_SECONDS = 7 * 86400
INVITATION_PREFIX = "join_"

_COUNTED = Submission.kind == "counted"
_loaded = selectinload(Team.members).joinedload(Membership.user)


@dataclass(frozen=True)
class OpenInvitation:
    """An invitation that still admits somebody, without its secret."""

    id: str
    made_by: str
    created_at: float
    expires_at: float


def founder_of(team: Team) -> str:
    """The id of the member who was there first."""
    return min(team.members, key=lambda member: member.id).user_id


def create(session: Session, challenge_id: str, user: User, name: str) -> Team:
    """Found a team, its founder being the first member.

    Raises:
        NotFound: there is no such challenge.
        BadInput: the name cannot be used.
        Conflict: the name is taken, or the user has a team already.
    """
    rules = challenges.get(session, challenge_id).spec.teams
    name = name.strip()
    if not 2 <= len(name) <= 60 or not name.isprintable():
        raise BadInput("team_name", "A team's name has 2 to 60 printable characters.")
    _check_has_none(session, challenge_id, user)
    if session.scalar(select(Team.id).where(Team.challenge_id == challenge_id, Team.name == name)):
        raise Conflict("team_exists", "There is a team of this name already.")
    team = Team(challenge_id=challenge_id, name=name, approved_at=None if rules.approval else now())
    session.add(team)
    _flush(session)
    _admit(session, team, user)
    return get(session, team.id)


def get(session: Session, team_id: str) -> Team:
    """A team with its members.

    Raises:
        NotFound: there is none.
    """
    query = select(Team).where(Team.id == team_id).options(_loaded).execution_options(populate_existing=True)
    if (team := session.scalar(query)) is None:
        raise NotFound("no_such_team", "There is no such team.")
    return team


def team_of(session: Session, challenge_id: str, user: User) -> Team | None:
    """The team that the user belongs to in a challenge, with its members."""
    return session.scalar(
        select(Team)
        .join(Team.members)
        .where(Membership.challenge_id == challenge_id, Membership.user_id == user.id)
        .options(_loaded)
    )


def require_team(session: Session, challenge_id: str, user: User) -> Team:
    """Like `team_of`.

    Raises:
        NotFound: the user has no team in this challenge.
    """
    if (team := team_of(session, challenge_id, user)) is None:
        raise NotFound("no_team", "You have no team in this challenge. Found one, or join one by invitation.")
    return team


def teams_of(session: Session, challenge_id: str) -> Sequence[Team]:
    """All teams of a challenge, for organizers."""
    challenges.get(session, challenge_id)
    query = select(Team).where(Team.challenge_id == challenge_id).options(_loaded)
    return session.scalars(query.order_by(Team.id)).all()


def invite(session: Session, challenge_id: str, user: User) -> tuple[str, float]:
    """A secret that admits one person to the user's team within a week, and when it expires.

    Raises:
        NotFound: the user has no team in this challenge.
    """
    team = require_team(session, challenge_id, user)
    secret = passwords.new_secret(INVITATION_PREFIX)
    invitation = Invitation(
        token_hash=passwords.digest(secret),
        team_id=team.id,
        created_by=user.id,
        expires_at=now() + INVITATION_SECONDS,
    )
    session.add(invitation)
    session.flush()
    session.refresh(invitation)
    return secret, invitation.expires_at


def join(session: Session, challenge_id: str, user: User, secret: str) -> Team:
    """Become a member of the team that an invitation is for.

    Raises:
        NotFound: the invitation is unknown, expired, used, or for another challenge.
        Conflict: the user has a team already, or the team is full.
    """
    rules = challenges.get(session, challenge_id).spec.teams
    invitation = session.scalar(
        select(Invitation)
        .join(Invitation.team)
        .where(
            Invitation.token_hash == passwords.digest(secret),
            Invitation.used_by.is_(None),
            Invitation.expires_at > now(),
            Team.challenge_id == challenge_id,
        )
    )
    if invitation is None:
        raise NotFound("no_such_invitation", "The invitation is unknown, used or expired. Ask for a new one.")
    _check_has_none(session, challenge_id, user)
    # Everything that changes who is in a team waits for the team's row.
    team = session.scalars(select(Team).where(Team.id == invitation.team_id).with_for_update()).one()
    if _count_members(session, team) >= rules.max_members:
        raise Conflict("team_full", f"The team has {rules.max_members} members, which is the limit.")
    _use(session, invitation, user)
    _admit(session, team, user)
    return get(session, team.id)


def invitations_of(session: Session, team: Team) -> Sequence[OpenInvitation]:
    """The team's invitations that still admit somebody, those that end first in front."""
    living = select(Invitation, User.name).join(User, User.id == Invitation.created_by)
    found = session.execute(living.where(*_is_open(team)).order_by(Invitation.expires_at))
    return [OpenInvitation(_public_id(row), name, row.created_at, row.expires_at) for row, name in found]


def revoke(session: Session, challenge_id: str, user: User, invitation_id: str) -> None:
    """End an invitation of the user's team; any member may.

    Raises:
        NotFound: the user has no team in this challenge, or it has no such invitation.
    """
    team = require_team(session, challenge_id, user)
    open_ones = session.scalars(select(Invitation).where(*_is_open(team)))
    found = next((row for row in open_ones if _public_id(row) == invitation_id), None)
    if found is None:
        raise NotFound("no_such_invitation", "Your team has no such open invitation.")
    session.delete(found)
    session.flush()


def _is_open(team: Team) -> tuple[ColumnElement[bool], ...]:
    return Invitation.team_id == team.id, Invitation.used_by.is_(None), Invitation.expires_at > now()


def _public_id(invitation: Invitation) -> str:
    # The secret is 256 random bits: the beginning of its hash helps nobody to find it.
    return invitation.token_hash[:24]


def may_leave(session: Session, team: Team, user: User) -> str | None:
    """Why the user has to stay in the team; None if they may leave it."""
    if _count(session, Submission.team_id == team.id, Submission.user_id == user.id, _COUNTED):
        return (
            "You handed in counted submissions for this team, so that you cannot start anew in another one. "
            "Ask the organizers."
        )
    if len(team.members) == 1 and _count(session, Submission.team_id == team.id):
        return (
            "You are the last member of a team that has submissions. Invite somebody first, who then stays."
        )
    return None


def leave(session: Session, challenge_id: str, user: User) -> None:
    """End a membership. A team without submissions goes with its last member, and its name is free again.

    What was handed in stays the team's. Invitations that the user made end.

    Raises:
        NotFound: the user has no team in this challenge.
        Conflict: the user has to stay; see `may_leave`.
    """
    team = require_team(session, challenge_id, user)
    session.scalars(select(Team).where(Team.id == team.id).with_for_update()).one()
    team = get(session, team.id)
    if reason := may_leave(session, team, user):
        raise Conflict("cannot_leave", reason)
    session.execute(delete(Invitation).where(*_is_open(team), Invitation.created_by == user.id))
    session.execute(delete(Membership).where(Membership.team_id == team.id, Membership.user_id == user.id))
    if len(team.members) == 1:
        session.execute(delete(Team).where(Team.id == team.id))


def _count(session: Session, *conditions: ColumnElement[bool]) -> int:
    return session.scalars(select(func.count()).select_from(Submission).where(*conditions)).one()


def approve(session: Session, challenge_id: str, team_id: str, actor: User | str, reason: str = "") -> Team:
    """Let a team submit; one that may already stays as it is.

    Raises:
        NotFound: the challenge has no such team.
    """
    team = _of_challenge(session, challenge_id, team_id)
    waits = Team.id == team_id, Team.approved_at.is_(None)
    if session.execute(update(Team).where(*waits).values(approved_at=now()).returning(Team.id)).all():
        audit.record(session, actor, "team.approve", challenge_id, team_id, reason, team=team.name)
    return get(session, team_id)


def mark(
    session: Session, challenge_id: str, team_id: str, baseline: bool, actor: User | str, reason: str = ""
) -> Team:
    """Mark a team as a baseline of the organizers, which may submit, or take the mark away.

    Raises:
        NotFound: the challenge has no such team.
    """
    team = _of_challenge(session, challenge_id, team_id)
    if baseline:
        approve(session, challenge_id, team_id, actor, reason)
    if team.baseline != baseline:
        session.execute(update(Team).where(Team.id == team_id).values(baseline=baseline))
        audit.record(
            session,
            actor,
            "team.baseline",
            challenge_id,
            team_id,
            reason,
            team=team.name,
            baseline=baseline,
        )
    return get(session, team_id)


def _of_challenge(session: Session, challenge_id: str, team_id: str) -> Team:
    team = get(session, team_id)
    if team.challenge_id != challenge_id:
        raise NotFound("no_such_team", "There is no such team.")
    return team


def _use(session: Session, invitation: Invitation, user: User) -> None:
    used = session.execute(
        update(Invitation)
        .where(Invitation.token_hash == invitation.token_hash, Invitation.used_by.is_(None))
        .values(used_by=user.id)
        .returning(Invitation.token_hash)
    ).all()
    if not used:
        raise NotFound("no_such_invitation", "The invitation is unknown, used or expired. Ask for a new one.")


def _check_has_none(session: Session, challenge_id: str, user: User) -> None:
    if team_of(session, challenge_id, user) is not None:
        raise Conflict("has_team", "You have a team in this challenge already; a person has one.")


def _count_members(session: Session, team: Team) -> int:
    return session.scalars(select(func.count()).where(Membership.team_id == team.id)).one()


def _admit(session: Session, team: Team, user: User) -> None:
    session.add(Membership(team_id=team.id, user_id=user.id, challenge_id=team.challenge_id))
    _flush(session)


def _flush(session: Session) -> None:
    try:
        session.flush()
    except IntegrityError as error:
        raise Conflict("team_taken", "The name was just taken, or you have a team already.") from error
