"""Who may work on a run: claims, heartbeats and fencing.

A claim raises the run's token. Every write of a worker goes through `hold`, which locks the row and checks
the token in the same transaction, so a worker that was thought dead can no longer change anything. Only the
database's clock counts.
"""

from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from backend.config import Settings
from backend.db import now
from backend.models.run import Run, WorkerSlot
from backend.models.submission import Submission
from backend.queue import enqueue
from submissions.contract import Code, Failure, failure


class LeaseLost(Exception):
    """The run was given to somebody else, or is over: drop everything and write nothing."""


@dataclass(frozen=True)
class Lease:
    """The right to work on a run, as long as `token` is the run's."""

    run_id: int
    token: int

    @property
    def job(self) -> str:
        """Name of the container, the volume and the folders of the run under this token."""
        return f"run-{self.run_id}-{self.token}"


@dataclass(frozen=True)
class Beat:
    """The answer to a heartbeat."""

    held: bool
    cancelled: bool


def claim(session: Session, lane: str, worker: str, lease_seconds: float) -> Lease | None:
    """Take the next waiting run of a lane, or None. Two workers never get the same one."""
    query = (
        select(Run)
        .where(Run.lane == lane, Run.state == "waiting")
        .order_by(Run.priority, Run.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    run = session.scalars(query).first()
    if run is None:
        return None
    run.attempt += 1
    run.token += 1
    run.state, run.worker = "running", worker
    run.started_at = now()
    run.lease_until = now() + lease_seconds
    return Lease(run.id, run.token)


def reclaim(session: Session, worker: str, lease_seconds: float) -> list[Lease]:
    """The runs of this worker's dead predecessor whose leases still live, renewed.

    The caller holds the slot's lock, so the predecessor is dead for certain and the tokens may stay: the
    containers that carry them can be adopted.
    """
    query = select(Run).where(Run.state == "running", Run.worker == worker, Run.lease_until >= now())
    runs = session.scalars(query.with_for_update()).all()
    for run in runs:
        run.lease_until = now() + lease_seconds
    return [Lease(run.id, run.token) for run in runs]


def renew(session: Session, lease: Lease, lease_seconds: float) -> Beat:
    """Say that the worker lives; learn whether the run is still its own and still wanted."""
    mine = (Run.id == lease.run_id, Run.token == lease.token, Run.state == "running")
    renewed = update(Run).where(*mine).values(lease_until=now() + lease_seconds)
    found = session.execute(renewed.returning(Run.worker, Run.cancel_requested)).one_or_none()
    if found is None:
        return Beat(held=False, cancelled=False)
    session.execute(update(WorkerSlot).where(WorkerSlot.name == found.worker).values(seen_at=now()))
    return Beat(held=True, cancelled=found.cancel_requested)


def hold(session: Session, lease: Lease) -> tuple[Submission, Run]:
    """Lock the submission and its run for writing results.

    Raises:
        LeaseLost: the run is no longer this worker's.
    """
    owner = select(Run.submission_id).where(Run.id == lease.run_id).scalar_subquery()
    # The submission first, always: cancelling and finishing lock in the same order and cannot deadlock.
    submission = session.scalars(
        select(Submission).where(Submission.id == owner).with_for_update()
    ).one_or_none()
    run = session.scalars(select(Run).where(Run.id == lease.run_id).with_for_update()).one_or_none()
    if submission is None or run is None or run.token != lease.token or run.state != "running":
        raise LeaseLost(f"run {lease.run_id} with token {lease.token}")
    return submission, run


def close(run: Run, state: str) -> None:
    """End a run that is held."""
    run.state, run.lease_until = state, None
    run.finished_at = now()


def give_back(session: Session, lease: Lease, cause: Failure, max_attempts: int) -> None:
    """After a failure of ours: wait for another try, or fail for good when tries are used up."""
    submission, run = hold(session, lease)
    _retry_or_fail(session, submission, run, cause, max_attempts)


def requeue_expired(session: Session, settings: Settings) -> int:
    """Give runs whose worker fell silent to somebody else; returns how many."""
    silent = (
        select(Run.id, Run.submission_id)
        .where(Run.state == "running", Run.lease_until < now())
        .order_by(Run.submission_id, Run.id)  # two workers who do this at once must not wait for each other
    )
    count = 0
    for run_id, submission_id in session.execute(silent).all():
        submission = session.scalars(
            select(Submission).where(Submission.id == submission_id).with_for_update()
        ).one()
        run = session.scalars(
            select(Run)
            .where(Run.id == run_id, Run.state == "running", Run.lease_until < now())
            .with_for_update()
        ).one_or_none()
        if run is not None:
            cause = failure(Code.PLATFORM, detail=f"worker {run.worker} fell silent in attempt {run.attempt}")
            _retry_or_fail(session, submission, run, cause, settings.max_attempts)
            count += 1
    return count


def _retry_or_fail(
    session: Session, submission: Submission, run: Run, cause: Failure, max_attempts: int
) -> None:
    run.failure_code, run.failure_message, run.failure_detail = cause.code, cause.message, cause.detail
    run.token += 1
    if run.cancel_requested or (submission.is_final and not run.is_beside):
        close(run, "cancelled")
    elif run.attempt < max_attempts:
        run.state, run.lease_until, run.worker = "waiting", None, None
        enqueue(session, run.lane)
    else:
        close(run, "failed")
        if not run.is_beside:
            submission.fail(session, cause)
            cancel_rest(session, submission)


def cancel_rest(session: Session, submission: Submission) -> None:
    """Stop whatever else of a submission is waiting or running."""
    mine = Run.submission_id == submission.id
    session.execute(
        update(Run).where(mine, Run.state == "waiting").values(state="cancelled", finished_at=now())
    )
    session.execute(update(Run).where(mine, Run.state == "running").values(cancel_requested=True))


def sign_in(session: Session, name: str, lane: str, device: str) -> None:
    """Note that a slot is alive."""
    slot = session.get(WorkerSlot, name)
    if slot is None:
        slot = WorkerSlot(name=name)
        session.add(slot)
    slot.lane, slot.device = lane, device
    slot.seen_at = now()
