"""How long the submissions of a list still take: reads what `forecast` plays through.

Of the stages that touch hidden cases nothing is used that their owner may not know: which shards are over
stays unknown, only when the first of them began counts.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from math import ceil
from typing import TypeVar

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from backend.db import now
from backend.intake.planning import LANE, LAST
from backend.models.run import OPEN_STATES, Run, WorkerSlot
from backend.models.submission import ACTIVE_STATES, FINAL_STATES, Submission
from backend.results import disclosure
from backend.results.forecast import Estimate, History, Job, Key, Piece, estimates
from backend.results.schemas import EstimateView, SubmissionSummary
from challenges.spec import Challenge
from submissions.contract import scripts_of

LIVE_SECONDS = 120.0
MOST_RUNS = 1000
Summary = TypeVar("Summary", bound=SubmissionSummary)
_STAGES = {"toy": ("verify", "toy", "score"), "counted": ("verify", "toy", "test", "score")}


def with_estimates(session: Session, items: Iterable[Summary]) -> list[Summary]:
    """The same items; those that are under way say how long it still takes, if that can be said."""
    items = list(items)
    if all(item.state in FINAL_STATES for item in items):
        return items
    found = _estimates(session)
    return [item.model_copy(update={"estimate": _view(found.get(item.id))}) for item in items]


def _view(estimate: Estimate | None) -> EstimateView | None:
    return EstimateView(**vars(estimate), text=estimate.text) if estimate else None


def _estimates(session: Session) -> dict[str, Estimate]:
    moment = session.scalars(select(now())).one()
    slots = _live_slots(session, moment)
    query = select(Submission).where(Submission.state.in_(ACTIVE_STATES))
    active = session.scalars(
        query.order_by(Submission.created_at, Submission.id).options(joinedload(Submission.challenge))
    ).all()
    runs = _runs_of(session, [submission.id for submission in active])
    jobs = [_job(submission, runs[submission.id], slots, moment) for submission in active]
    return estimates([*_beside(session), *jobs], slots, _history(session))


def _live_slots(session: Session, moment: float) -> dict[str, int]:
    query = select(WorkerSlot.lane, func.count()).where(WorkerSlot.seen_at > moment - LIVE_SECONDS)
    return {lane: number for lane, number in session.execute(query.group_by(WorkerSlot.lane))}


def _runs_of(session: Session, ids: Sequence[str]) -> Mapping[str, list[Run]]:
    found: dict[str, list[Run]] = defaultdict(list)
    for run in session.scalars(select(Run).where(Run.submission_id.in_(ids)).order_by(Run.id)):
        found[run.submission_id].append(run)
    return found


def _job(submission: Submission, runs: Sequence[Run], slots: Mapping[str, int], moment: float) -> Job:
    stages = _STAGES[submission.kind]
    after = stages[stages.index(submission.state) + 1 :] if submission.state in stages else ()
    present = [run for run in runs if run.stage == submission.state]
    later = [_expected(submission, stage) for stage in after]
    if submission.state == "test":
        # All shards, done or not: how far they are is nobody's business.
        begun = [run.started_at for run in present if run.started_at is not None]
        credit = max(0.0, moment - disclosure.rounded_moment(min(begun))) if begun else 0.0
        pieces = [_piece(submission, run) for run in present]
        return Job(submission.id, [pieces, *later], credit * slots.get("test", 0))
    open_runs = [run for run in present if run.state in OPEN_STATES]
    return Job(submission.id, [[_piece(submission, run, moment) for run in open_runs], *later])


def _piece(submission: Submission, run: Run, moment: float | None = None) -> Piece:
    key = (submission.challenge_id, run.stage, run.task, run.dataset)
    if moment is None or run.state != "running" or run.started_at is None:
        return Piece(key, run.lane, run.priority)
    return Piece(key, run.lane, run.priority, max(0.0, moment - run.started_at))


def _expected(submission: Submission, stage: str) -> list[Piece]:
    """The runs that a later stage will bring."""
    rules, priority = submission.challenge.spec, 0 if submission.kind == "toy" else 1
    if stage == "score":
        return [Piece((submission.challenge_id, stage, "", ""), LANE[stage])]
    # A task may have been renamed since: one odd submission must not cost everybody their estimate.
    tasks = [task for task in rules.tasks if submission.task in (None, task)]
    pairs = scripts_of(rules.entry, tasks, rules.datasets)
    return [
        Piece((submission.challenge_id, stage, task, dataset), LANE[stage], priority)
        for (task, dataset), script in pairs.items()
        if script in submission.scripts or not submission.scripts  # not known before the check
        for _ in range(_containers(rules, stage, task, dataset))
    ]


def _containers(rules: Challenge, stage: str, task: str, dataset: str) -> int:
    cases = rules.datasets[dataset].cases
    number = cases.test[task] if stage == "test" else cases.toy_abnormal + cases.toy_normal
    return ceil(number / rules.limits.cases_per_container)


def _beside(session: Session) -> list[Job]:
    """Runs on analysis sets that occupy a slot now, as if they had just begun; those that wait come last."""
    query = select(Run, Submission.challenge_id).join(Run.submission)
    running = session.execute(query.where(Run.stage == "analysis", Run.state == "running")).all()
    return [
        Job(f"run {run.id}", [[Piece((challenge, run.stage, run.task, run.dataset), run.lane, LAST, 0.0)]])
        for run, challenge in running
    ]


def _history(session: Session) -> History:
    """What the latest runs took of submissions that are over."""
    took = func.coalesce(Run.finished_at - Run.started_at, Run.wall_seconds)
    query = (
        select(Submission.challenge_id, Run.stage, Run.task, Run.dataset, took)
        .join(Run.submission)
        .where(Run.state == "done", Submission.state.in_(FINAL_STATES), took.is_not(None))
        .order_by(Run.id.desc())
    )
    found: dict[Key, list[float]] = defaultdict(list)
    for challenge, stage, task, dataset, seconds in session.execute(query.limit(MOST_RUNS)):
        assert seconds is not None
        found[(challenge, stage, task, dataset)].append(seconds)
    return History(found)
