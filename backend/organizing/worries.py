"""What somebody should look at, each with the place where it is mended."""

from collections.abc import Iterator

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backend.models.run import Run
from backend.models.submission import Submission
from backend.organizing.schemas import Attention, Operations
from submissions.contract import Code

GIB = 1 << 30
ROOM = 10 * GIB
"""What `doctor` asks for, too."""
LEAST_SHARE = 0.05
RECENT_SECONDS = 7 * 86400.0
OLD_SECONDS = {"toy": 1800.0, "test": 86400.0}
"""Longer than that nobody should wait: in the toy lane for a first answer, in the other for a place."""


def worries(session: Session, seen: Operations) -> Iterator[Attention]:
    """What of the dashboard needs a person, the most pressing first."""
    yield from _disk(seen)
    yield from _workers(seen)
    yield from _queue(seen)
    yield from _failures(session, seen.at - RECENT_SECONDS)
    yield from _teams(seen)


def _disk(seen: Operations) -> Iterator[Attention]:
    if seen.disk.free < max(ROOM, LEAST_SHARE * seen.disk.total):
        sentence = f"The disk is nearly full: {seen.disk.free / GIB:.1f} GiB are free."
        yield Attention(sentence=sentence, path="/organize#disk", button="Disk")


def _workers(seen: Operations) -> Iterator[Attention]:
    for worker in seen.workers:
        if worker.silent and worker.run is not None:
            sentence = f"The worker {worker.name} fell silent while it carried out a run."
            yield Attention(
                sentence=sentence, path=f"/submissions/{worker.submission}", button="Its submission"
            )
        elif worker.silent:
            sentence = f"The worker {worker.name} is silent."
            yield Attention(sentence=sentence, path="/organize#workers", button="Workers")


def _queue(seen: Operations) -> Iterator[Attention]:
    waiting = "/organize/submissions?state=open&order=asc"
    for lane in seen.lanes:
        if lane.waiting and not lane.workers:
            sentence = f"No worker serves the {lane.name} lane, where {_runs(lane.waiting)}."
            yield Attention(sentence=sentence, path="/organize#workers", button="Workers")
        elif lane.oldest_since is not None and seen.at - lane.oldest_since > OLD_SECONDS[lane.name]:
            hours = (seen.at - lane.oldest_since) / 3600
            sentence = f"In the {lane.name} lane a run has waited for {hours:.1f} hours."
            yield Attention(sentence=sentence, path=waiting, button="Who waits")


def _runs(count: int) -> str:
    return "1 run waits" if count == 1 else f"{count} runs wait"


def _failures(session: Session, since: float) -> Iterator[Attention]:
    failed = Submission.state == "failed", Submission.finished_at > since
    ours = *failed, Submission.failure_ours.is_(True)
    if count := session.scalars(select(func.count()).select_from(Submission).where(*ours)).one():
        sentence = f"{_many(count, 'submission')} failed by our fault and {_be(count)} not run again yet."
        path = "/organize/submissions?state=failed&fault=ours"
        yield Attention(sentence=sentence, path=path, button="Run again")
    beside = Run.stage == "analysis", Run.state == "failed", Run.failure_code == Code.PLATFORM
    query = select(Submission.challenge_id, func.count()).join(Run.submission).where(*beside)
    for name, count in session.execute(query.group_by(Submission.challenge_id)):
        sentence = f"{_many(count, 'run')} of {name} on analysis sets failed by our fault."
        yield Attention(sentence=sentence, path=f"/organize/{name}/analysis", button="Analysis")


def _teams(seen: Operations) -> Iterator[Attention]:
    for line in seen.challenges:
        if line.unapproved:
            wait = "waits" if line.unapproved == 1 else "wait"
            sentence = f"{_many(line.unapproved, 'team')} of {line.title} {wait} for approval."
            yield Attention(sentence=sentence, path=f"/organize/{line.id}/teams", button="Teams")


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _be(count: int) -> str:
    return "was" if count == 1 else "were"
