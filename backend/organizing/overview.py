"""What goes on: queue, workers, disk, failures, and what somebody should mend, each with the place for it."""

import shutil
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backend.config import Settings
from backend.db import now
from backend.intake.uploads import PENDING
from backend.models.challenge import Challenge
from backend.models.run import OPEN_STATES, Run, WorkerSlot
from backend.models.submission import ACTIVE_STATES, Submission
from backend.models.team import Team
from backend.models.upload import Upload
from backend.organizing.schemas import (
    ChallengeLine,
    CodeCount,
    DiskView,
    FailureRate,
    LaneView,
    Operations,
    WorkerView,
)
from backend.organizing.worries import worries
from backend.storage import Storage

LANES = ("toy", "test")
SILENT_SECONDS = 120.0
FORGOTTEN_SECONDS = 7 * 86400.0
"""A slot that was silent for so long was taken away: nobody is told of it any more."""
MEASURED_EVERY = 300.0
DAY = 86400.0
ENDED = ("ranked", "finished", "failed", "withdrawn")


def overview(session: Session, storage: Storage, settings: Settings) -> Operations:
    """Everything on the dashboard, by the database's clock."""
    moment = session.scalars(select(now())).one()
    workers = list(_workers(session, moment, max(SILENT_SECONDS, settings.lease_seconds)))
    found = Operations(
        at=moment,
        lanes=list(_lanes(session, workers)),
        workers=workers,
        disk=_disk(session, storage, moment),
        failures=[_failures(session, moment, days) for days in (1, 7)],
        attention=[],
        challenges=list(_challenges(session)),
    )
    found.attention = list(worries(session, found))
    return found


def _lanes(session: Session, workers: Sequence[WorkerView]) -> Iterator[LaneView]:
    columns = Run.lane, Run.state, Run.stage
    query = select(*columns, func.count().label("runs"), func.min(Run.created_at).label("since"))
    query = query.where(Run.state.in_(OPEN_STATES)).group_by(*columns)
    rows = session.execute(query).all()
    for lane in LANES:
        mine = [row for row in rows if row.lane == lane]
        waiting = [row for row in mine if row.state == "waiting" and row.stage != "analysis"]
        yield LaneView(
            name=lane,
            waiting=sum(row.runs for row in waiting),
            running=sum(row.runs for row in mine if row.state == "running"),
            beside=sum(row.runs for row in mine if row.state == "waiting" and row.stage == "analysis"),
            oldest_since=min((row.since for row in waiting), default=None),
            workers=sum(worker.lane == lane and not worker.silent for worker in workers),
        )


def _workers(session: Session, moment: float, silent_after: float) -> Iterator[WorkerView]:
    known = select(WorkerSlot).where(WorkerSlot.seen_at > moment - FORGOTTEN_SECONDS)
    at_work = {run.worker: run for run in session.scalars(select(Run).where(Run.state == "running"))}
    for slot in session.scalars(known.order_by(WorkerSlot.name)):
        run = at_work.get(slot.name)
        yield WorkerView(
            name=slot.name,
            lane=slot.lane,
            device=slot.device,
            seen_at=slot.seen_at,
            silent=moment - slot.seen_at > silent_after,
            run=run.id if run else None,
            submission=run.submission_id if run else None,
            stage=run.stage if run else None,
            since=run.started_at if run else None,
        )


def _disk(session: Session, storage: Storage, moment: float) -> DiskView:
    sums = select(func.count(), func.sum(Upload.offset), func.sum(Upload.size)).where(
        Upload.state.in_(PENDING), Upload.expires_at > moment
    )
    uploads, received, announced = session.execute(sums).one()
    usage = shutil.disk_usage(storage.root)
    return DiskView(
        total=usage.total,
        free=usage.free,
        held=_held(storage.blobs, int(moment // MEASURED_EVERY)),
        uploads=uploads,
        received=received or 0,
        announced=announced or 0,
    )


@lru_cache(maxsize=4)
def _held(blobs: Path, period: int) -> int:
    """The size of all files by digest; walking through all of them takes a while, so once a `period`."""
    return sum(path.stat().st_size for path in blobs.glob("*/*")) if blobs.is_dir() else 0


def _failures(session: Session, moment: float, days: int) -> FailureRate:
    columns = Submission.state, Submission.failure_code, Submission.failure_ours
    recent = Submission.state.in_(ENDED), Submission.finished_at > moment - days * DAY
    rows = session.execute(select(*columns, func.count()).where(*recent).group_by(*columns)).all()
    failed = [
        CodeCount(code=code or "", ours=ours, count=count)
        for state, code, ours, count in rows
        if state == "failed"
    ]
    return FailureRate(
        days=days,
        ended=sum(count for *_, count in rows),
        ours=sum(row.count for row in failed if row.ours),
        theirs=sum(row.count for row in failed if not row.ours),
        codes=sorted(failed, key=lambda row: (-row.count, row.code)),
    )


def _challenges(session: Session) -> Iterator[ChallengeLine]:
    teams = select(Team.challenge_id, func.count(), func.count(Team.approved_at)).group_by(Team.challenge_id)
    founded = {name: (count, approved) for name, count, approved in session.execute(teams)}
    states = select(Submission.challenge_id, Submission.state, func.count()).group_by(
        Submission.challenge_id, Submission.state
    )
    counts: dict[str, dict[str, int]] = {}
    for name, state, count in session.execute(states):
        counts.setdefault(name, {})[state] = count
    for row in session.execute(select(Challenge.id, Challenge.title).order_by(Challenge.id)):
        count, approved = founded.get(row.id, (0, 0))
        of_states = counts.get(row.id, {})
        yield ChallengeLine(
            id=row.id,
            title=row.title,
            teams=count,
            unapproved=count - approved,
            submissions=sum(of_states.values()),
            open=sum(of_states.get(state, 0) for state in ACTIVE_STATES),
            ranked=of_states.get("ranked", 0),
        )
