"""The scoring versions of a challenge: under which rules its figures are, were, or might be computed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backend.db import now
from backend.errors import Conflict, NotFound
from backend.models.challenge import Challenge
from backend.models.reveal import FrozenBoard
from backend.models.score import Score
from backend.models.scoring import ScoringVersion
from backend.models.user import User
from backend.results.schemas import ScoringOrigin, ScoringView
from challenges import spec

Policy = dict[str, Any]


@dataclass(frozen=True)
class Rules:
    """How one task is scored."""

    missing: spec.Missing
    metric: spec.Metric


def policy_of(challenge: spec.Challenge) -> Policy:
    """What a challenge's YAML says about scoring, per task."""
    return {
        name: task.model_dump(mode="json", include={"missing", "metric"})
        for name, task in challenge.tasks.items()
    }


def rules_of(policy: Mapping[str, Any]) -> dict[str, Rules]:
    """A policy as stored, read."""
    return {
        task: Rules(rules["missing"], spec.Metric.model_validate(rules["metric"]))
        for task, rules in policy.items()
    }


def everything(session: Session, challenge_id: str) -> Sequence[ScoringVersion]:
    """All scoring versions, from the first on."""
    query = select(ScoringVersion).where(ScoringVersion.challenge_id == challenge_id)
    return session.scalars(query.order_by(ScoringVersion.number)).all()


def current(session: Session, challenge_id: str) -> ScoringVersion:
    """The version that makes the public board."""
    query = select(ScoringVersion).where(ScoringVersion.challenge_id == challenge_id, ScoringVersion.current)
    return session.scalars(query).one()


def public(session: Session, challenge: Challenge) -> ScoringVersion:
    """The version of the board that everybody sees: that under which it was frozen, if it is."""
    if challenge.frozen is None:
        return current(session, challenge.id)
    return session.get_one(ScoringVersion, challenge.frozen.scoring_version_id)


def numbered(session: Session, challenge_id: str, number: int) -> ScoringVersion:
    """A version by its number.

    Raises:
        NotFound: there is none of this number.
    """
    query = select(ScoringVersion).where(
        ScoringVersion.challenge_id == challenge_id, ScoringVersion.number == number
    )
    if (version := session.scalar(query)) is None:
        raise NotFound("no_such_scoring", f"The challenge has no scoring version {number}.")
    return version


def visible(session: Session, challenge_id: str, viewer: User | None) -> list[ScoringView]:
    """All versions for organizers, for everybody else the one of the public board."""
    if viewer is not None and viewer.is_organizer:
        return [view(version, viewer) for version in everything(session, challenge_id)]
    return [view(current(session, challenge_id), viewer)]


def view(version: ScoringVersion, viewer: User | None) -> ScoringView:
    """A version as it is shown; batches never are, since they name hidden cases."""
    return ScoringView(
        number=version.number,
        reason=version.reason,
        current=version.current,
        since=version.current_since if version.current else None,
        policy=version.policy,
        origin=_origin(version) if viewer is not None and viewer.is_organizer else None,
    )


def _origin(version: ScoringVersion) -> ScoringOrigin:
    drawn = {task for of_tasks in (version.arrangements or {}).values() for task in of_tasks}
    return ScoringOrigin(
        created_by=version.created_by,
        created_at=version.created_at,
        arrangement_seed=version.arrangement_seed,
        drawn=sorted(drawn),
    )


def lock(session: Session, challenge_id: str) -> None:
    """Until the transaction ends, nobody else adds scoring versions or scores to the challenge.

    A scoring run takes it after its submission's lock. A rescoring may lock submissions after it, because
    it locks only those that are over, whose locks nobody holds while waiting for this one.
    """
    query = select(Challenge.id).where(Challenge.id == challenge_id)
    session.execute(query.with_for_update(key_share=True)).all()


def register(session: Session, challenge: Challenge) -> ScoringVersion:
    """See to it that the YAML's rules are those of a scoring version; the first one is made here.

    While nothing has been scored, other rules make a further version, which is current at once.

    Raises:
        Conflict: the rules are new, and figures under others are there.
    """
    lock(session, challenge.id)
    known = everything(session, challenge.id)
    policy = policy_of(challenge.spec)
    for version in known:
        if rules_of(version.policy) == rules_of(policy):
            return version
    if known and _has_scores(session, challenge.id):
        raise Conflict(
            "scoring_differs",
            "The YAML's `missing` or `metric` differs from every scoring version, and submissions have been "
            "scored. Register it with the former rules, or first make a version of the new ones: "
            f"`python -m backend scoring new {challenge.id} --rules FILE --reason TEXT`.",
        )
    draft = ScoringVersion(
        challenge_id=challenge.id,
        policy=policy,
        reason="registered anew before anything was scored" if known else "as registered",
        created_by="registration",
    )
    return make_current(session, add(session, draft))


def add(session: Session, draft: ScoringVersion) -> ScoringVersion:
    """Write a drafted version down under the next number, not current yet; the caller holds the lock."""
    last = select(func.max(ScoringVersion.number)).where(ScoringVersion.challenge_id == draft.challenge_id)
    draft.number = (session.scalar(last) or 0) + 1
    draft.current = False
    session.add(draft)
    session.flush()
    return draft


def make_current(session: Session, version: ScoringVersion) -> ScoringVersion:
    """Let the public board be this version's.

    Raises:
        Conflict: the board is frozen under another one.
    """
    if version.current:
        return version
    in_force = select(FrozenBoard.id).where(
        FrozenBoard.challenge_id == version.challenge_id, FrozenBoard.released_at.is_(None)
    )
    if session.scalar(in_force) is not None:
        raise Conflict(
            "board_frozen",
            "The board is frozen under another scoring version. Unfreeze it first, on the page Reveal or by "
            f"`python -m backend board unfreeze {version.challenge_id} --reason TEXT`.",
        )
    for other in everything(session, version.challenge_id):
        other.current = False
    session.flush()
    version.current = True
    version.current_since = session.scalars(select(now())).one()
    session.flush()
    return version


def _has_scores(session: Session, challenge_id: str) -> bool:
    query = select(Score.id).join(ScoringVersion).where(ScoringVersion.challenge_id == challenge_id)
    return session.scalar(query.limit(1)) is not None
