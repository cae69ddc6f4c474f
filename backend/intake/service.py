"""Submissions in, and out again: quota, dates and rates hold because the team's row is locked meanwhile."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.orm import Session

from backend.audit import service as audit
from backend.challenges import service as challenges
from backend.db import now
from backend.errors import BadInput, Conflict, Forbidden, NotFound, QuotaExceeded, TooMany
from backend.intake import samples, uploads
from backend.models.run import Run
from backend.models.submission import Submission, Transition
from backend.models.team import Membership, Team
from backend.models.user import User
from backend.queue import enqueue
from backend.storage import Storage
from challenges import spec

HOUR = 3600.0
COSTS_NOTHING = or_(
    Submission.state == "cancelled",
    and_(Submission.state == "failed", Submission.failure_ours.is_(True)),
)


@dataclass(frozen=True)
class Quota:
    """Counted submissions of a team for one task."""

    used: int
    allowed: int

    @property
    def left(self) -> int:
        return max(0, self.allowed - self.used)


def submit(
    session: Session,
    storage: Storage,
    user: User,
    challenge_id: str,
    upload_id: str,
    kind: str,
    task: str | None,
    title: str,
) -> Submission:
    """Turn a complete upload into a submission that waits for a worker; announce it after the commit.

    Raises:
        NotFound: there is no such challenge, upload or team of the user's.
        BadInput: kind or task cannot be used.
        Forbidden: the team was not approved.
        Conflict: the challenge takes none now, or the upload is not complete.
        QuotaExceeded: the team has had all its counted submissions of this task.
        TooMany: the team has had all its toy submissions of this hour.
    """
    team = _admitted(session, user, challenge_id, kind, task, title)
    upload = uploads.consume(session, storage, user, challenge_id, upload_id)
    submission = Submission(
        challenge_id=challenge_id,
        team_id=team.id,
        user_id=user.id,
        kind=kind,
        task=task,
        title=title.strip() or upload.file_name,
        archive_sha256=upload.sha256,
        archive_size=upload.size,
    )
    return _entered(session, submission, "submitted")


def submit_sample(session: Session, user: User, challenge_id: str) -> Submission:
    """A toy submission of the challenge's working sample; announce it after the commit.

    Raises:
        NotFound: there is no such challenge, it has no sample, or the user has no team.
        Forbidden: the team was not approved.
        TooMany: the team has had all its toy submissions of this hour.
    """
    sample = samples.require(session, challenge_id)
    team = _admitted(session, user, challenge_id, "toy", None, "")
    submission = Submission(
        challenge_id=challenge_id,
        team_id=team.id,
        user_id=user.id,
        kind="toy",
        title=sample.title,
        archive_sha256=sample.archive_sha256,
        archive_size=sample.archive_size,
    )
    return _entered(session, submission, "submitted, the working sample")


def _admitted(
    session: Session, user: User, challenge_id: str, kind: str, task: str | None, title: str
) -> Team:
    """The user's team, locked, if it may hand this in now."""
    rules = challenges.get(session, challenge_id).spec
    _check_order(rules, kind, task, title)
    team = _locked_team(session, challenge_id, user)
    if team.approved_at is None:
        raise Forbidden("team_not_approved", "Your team waits for the organizers' approval.")
    if kind == "counted":
        check_open(session, rules)
        _check_quota(session, rules, team, str(task))
    else:
        _check_toy_rate(session, rules, team)
    return team


def _entered(session: Session, submission: Submission, cause: str) -> Submission:
    session.add(submission)
    session.flush()
    session.add(Transition(submission_id=submission.id, before="", after="verify", cause=cause))
    await_verification(session, submission)
    return submission


def await_verification(session: Session, submission: Submission) -> None:
    """Have a worker look at the archive first."""
    session.add(Run(submission_id=submission.id, stage="verify", lane="toy"))
    session.flush()
    enqueue(session, "toy")


def _check_order(rules: spec.Challenge, kind: str, task: str | None, title: str) -> None:
    if kind not in ("toy", "counted"):
        raise BadInput("kind_unknown", "A submission is `toy` or `counted`.")
    if kind == "counted" and task is None:
        raise BadInput("task_missing", f"A counted submission names its task: {', '.join(rules.tasks)}.")
    if task is not None and task not in rules.tasks:
        raise BadInput("task_unknown", f"The tasks of this challenge are: {', '.join(rules.tasks)}.")
    if len(title) > 200 or (title and not title.isprintable()):
        raise BadInput("title", "A title has 200 printable characters at most.")


def _locked_team(session: Session, challenge_id: str, user: User) -> Team:
    team = session.scalar(
        select(Team)
        .join(Team.members)
        .where(Membership.challenge_id == challenge_id, Membership.user_id == user.id)
        .with_for_update(of=Team)
    )
    if team is None:
        raise NotFound("no_team", "You have no team in this challenge. Found one, or join one by invitation.")
    return team


def check_open(session: Session, rules: spec.Challenge) -> None:
    """Whether the challenge takes counted submissions now, by the database's clock.

    Raises:
        Conflict: not yet, or no more.
    """
    moment = session.scalars(select(now())).one()
    if rules.dates.opens and moment < rules.dates.opens.timestamp():
        raise Conflict("not_open_yet", f"Counted submissions open at {_iso(rules.dates.opens)}.")
    if rules.dates.closes and moment >= rules.dates.closes.timestamp():
        raise Conflict("closed", f"Counted submissions closed at {_iso(rules.dates.closes)}.")


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="minutes")


def quota(session: Session, rules: spec.Challenge, team: Team, task: str) -> Quota:
    """How many counted submissions of a task the team has had; cancelled ones and our failures are free."""
    query = select(func.count()).where(
        Submission.challenge_id == rules.id,
        Submission.team_id == team.id,
        Submission.kind == "counted",
        Submission.task == task,
        ~COSTS_NOTHING,
    )
    return Quota(session.scalars(query).one(), rules.counted.per_team_and_task)


def _check_quota(session: Session, rules: spec.Challenge, team: Team, task: str) -> None:
    had = quota(session, rules, team, task)
    if not had.left:
        raise QuotaExceeded(
            "quota_exceeded",
            f"Your team has had its {had.allowed} counted submissions for {task}.",
            used=had.used,
            allowed=had.allowed,
        )


def _check_toy_rate(session: Session, rules: spec.Challenge, team: Team) -> None:
    recent: ColumnElement[bool] = Submission.created_at > now() - HOUR
    query = select(func.count()).where(
        Submission.team_id == team.id, Submission.kind == "toy", recent, ~COSTS_NOTHING
    )
    if session.scalars(query).one() >= rules.toy.per_team_and_hour:
        raise TooMany(
            "too_many_toy",
            f"A team may make {rules.toy.per_team_and_hour} toy submissions an hour. Try again later.",
            allowed=rules.toy.per_team_and_hour,
        )


def cancel(session: Session, user: User, submission_id: str, reason: str = "") -> Submission:
    """Stop a submission, whatever it waits for; cancelling what is cancelled changes nothing.

    An organizer who cancels another team's does so with a reason, into the audit log.

    Raises:
        NotFound: there is none, or it is another team's.
        Conflict: it is over.
    """
    submission = _locked_submission(session, user, submission_id)
    if submission.state == "cancelled":
        return submission
    if submission.is_final:
        raise Conflict("already_over", f"The submission is over: {submission.state}.", state=submission.state)
    mine = select(Membership.id).where(
        Membership.team_id == submission.team_id, Membership.user_id == user.id
    )
    if session.scalar(mine) is not None:
        submission.move(session, "cancelled", f"cancelled by {user.name}")
    else:
        before = submission.state
        submission.move(session, "cancelled", "cancelled by the organizers")
        audit.record(
            session, user, "submission.cancel", submission.challenge_id, submission.id, reason, before=before
        )
    stop_runs(session, submission)
    session.flush()
    return submission


def stop_runs(session: Session, submission: Submission) -> None:
    """End the runs that wait; ask those that run to stop, which their workers hear with a heartbeat."""
    of_submission = Run.submission_id == submission.id
    session.execute(update(Run).where(of_submission, Run.state == "running").values(cancel_requested=True))
    session.execute(
        update(Run)
        .where(of_submission, Run.state == "waiting")
        .values(state="cancelled", cancel_requested=True, finished_at=now())
    )


def _locked_submission(session: Session, user: User, submission_id: str) -> Submission:
    query = select(Submission).where(Submission.id == submission_id)
    if not user.is_organizer:
        mine = select(Membership.team_id).where(Membership.user_id == user.id)
        query = query.where(Submission.team_id.in_(mine))
    submission = session.scalar(query.with_for_update(of=Submission))
    if submission is None:
        raise NotFound("no_such_submission", "There is no such submission.")
    return submission
