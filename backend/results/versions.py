"""The scoring versions of a challenge: under which rules its figures are, were, or might be computed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backend.db import now
from backend.errors import Conflict, NotFound
from backend.models.challenge import Challenge
from backend.models.score import Score
from backend.models.scoring import ScoringVersion
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


def lock(session: Session, challenge_id: str) -> None:
    """Until the transaction ends, nobody else adds scoring versions or scores to the challenge.

    Whoever holds a submission's lock takes this one after it.
    """
    session.execute(select(Challenge.id).where(Challenge.id == challenge_id).with_for_update())


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
    reason = "registered anew before anything was scored" if known else "as registered"
    version = add(session, challenge.id, policy, reason, "registration")
    make_current(session, version)
    return version


def add(
    session: Session,
    challenge_id: str,
    policy: Policy,
    reason: str,
    created_by: str,
    arrangements: dict[str, Any] | None = None,
    arrangement_seed: int | None = None,
) -> ScoringVersion:
    """A further version, not current yet; the caller holds the lock."""
    last = select(func.max(ScoringVersion.number)).where(ScoringVersion.challenge_id == challenge_id)
    version = ScoringVersion(
        challenge_id=challenge_id,
        number=(session.scalar(last) or 0) + 1,
        policy=policy,
        arrangements=arrangements,
        arrangement_seed=arrangement_seed,
        reason=reason,
        created_by=created_by,
        current=False,
    )
    session.add(version)
    session.flush()
    return version


def make_current(session: Session, version: ScoringVersion) -> None:
    """Let the public board be this version's."""
    for other in everything(session, version.challenge_id):
        other.current = False
    session.flush()
    version.current = True
    version.current_since = session.scalars(select(now())).one()
    session.flush()


def _has_scores(session: Session, challenge_id: str) -> bool:
    query = select(Score.id).join(ScoringVersion).where(ScoringVersion.challenge_id == challenge_id)
    return session.scalar(query.limit(1)) is not None
