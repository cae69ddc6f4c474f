"""Intervals of the places on boards, from what is stored per case: bootstraps of the cases, as in the report.

A worker asks for `work` when it likes. It takes the next board that lacks its intervals, so that
whatever changes a board (a submission, a scoring version, a dataset) needs to tell nobody.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.challenges import service as challenges
from backend.db import Database, now
from backend.models.challenge import Challenge
from backend.models.standing import Standing
from backend.results import versions
from backend.results.leaderboard import Entered, entered
from backend.results.standing import Basis
from backend.results.study import hidden_parts
from scoring.report.board import Measured
from scoring.report.measures import Measurement, lacking
from scoring.report.plan import Plan, plan_of
from scoring.report.study import Part, Predictions, Study, TaskStudy
from scoring.report.uncertainty import LEVEL, bootstrap
from scoring.report.voxel_level import batch_shares
from scoring.stability import stability
from scoring.undefined import Figure

CLAIM_SECONDS = 600.0
"""How long a worker has a board to itself; if it died, another one tries then."""


@dataclass(frozen=True)
class _Gathered:
    """What the intervals of a board are computed from; no session is needed any more."""

    study: Study
    task: TaskStudy
    values: Mapping[str, Sequence[float | None]]


def work(database: Database) -> bool:
    """Compute and store the intervals of one board; False if none lacks them."""
    basis = _claimed(database)
    if basis is None:
        return False
    with database.read() as session:
        board = _board_of(session, basis)
        gathered = _gather(session, board) if board else None
    if gathered is not None:
        found = _compute(gathered)
        with database.write() as session:
            if _board_of(session, basis) is not None:
                session.get_one(Standing, basis.digest).found = found
    return True  # a board that changed meanwhile is another one, and is next


def _claimed(database: Database) -> Basis | None:
    with database.read() as session:
        due = next((basis for basis in _boards(session) if _is_due(session, basis)), None)
    if due is None:
        return None
    with database.write() as session:
        versions.lock(session, due.challenge)  # two workers look at a board one after the other
        if not _is_due(session, due):
            return None
        until = session.scalars(select(now())).one() + CLAIM_SECONDS
        claim = Standing(
            digest=due.digest, challenge_id=due.challenge, task=due.task, claimed_until=until, found=None
        )
        session.merge(claim)
    return due


def _boards(session: Session) -> list[Basis]:
    """Of all boards on which somebody stands."""
    found = []
    for challenge in challenges.everything(session):
        scored = versions.current(session, challenge.id).policy
        for task in (name for name in challenge.spec.tasks if name in scored):
            found += [board.basis for board in _shown(session, challenge, task) if board.entries]
    return found


def _shown(session: Session, challenge: Challenge, task: str) -> list[Entered]:
    """The board that everybody sees and, while that is frozen, the one that organizers see beside it."""
    version = versions.current(session, challenge.id)
    board = entered(session, challenge, task, version)
    live = [entered(session, challenge, task, version, live=True)] if challenge.frozen else []
    return [board, *live]


def _board_of(session: Session, basis: Basis) -> Entered | None:
    """The board that hangs on this; None if it has changed."""
    challenge = session.get_one(Challenge, basis.challenge)
    boards = _shown(session, challenge, basis.task)
    return next((board for board in boards if board.basis == basis), None)


def _is_due(session: Session, basis: Basis) -> bool:
    row = session.get(Standing, basis.digest)
    return row is None or (row.found is None and row.claimed_until < session.scalars(select(now())).one())


def _gather(session: Session, board: Entered) -> _Gathered:
    basis = board.basis
    challenge = session.get_one(Challenge, basis.challenge)
    about, ranking = challenge.spec.tasks[basis.task], challenge.spec.ranking
    parts = hidden_parts(session, challenge, basis.task, board.entries)
    values = {
        part.dataset: [board.average_precision(entry.id, part.dataset) for entry in board.entries]
        for part in parts
    }
    task = TaskStudy(basis.task, about.title, about.level, {}, board.entrants, parts, ())
    study = Study(
        challenge.id, challenge.title, None, [task], {}, bootstraps=ranking.bootstraps, seed=ranking.seed
    )
    return _Gathered(study, task, values)


def _compute(gathered: _Gathered) -> dict[str, Any]:
    """What is stored: intervals by submission over all and by dataset, or why there are none."""
    task = gathered.task
    plans = {part.dataset: plan_of(part, task.slug) for part in task.test}
    measured = {name: _column(gathered, plan.part) for name, plan in plans.items()}
    counted = {name: _share(plan, measured[name]) for name, plan in plans.items()}
    shares = {name: share for name, share in counted.items() if share is not None}
    reason = _lacking(plans, measured, task.level)
    if reason is None:
        drawn = bootstrap(gathered.study, task, plans, measured)
        reason = next(iter(drawn.undefined.values()), None)
    if reason is not None or not plans:
        return _told({}, {}, shares, reason or "the datasets have no hidden cases of this task")
    ids, over_all = [one.submission for one in task.entrants], stability(drawn.values)
    return _told(
        dict(zip(ids, over_all.interval(LEVEL), strict=True)),
        {name: dict(zip(ids, over_all.interval(LEVEL, name), strict=True)) for name in plans},
        shares,
        None,
    )


def _told(
    places: Mapping[str, Any], datasets: Mapping[str, Any], shares: Mapping[str, float], reason: str | None
) -> dict[str, Any]:
    return {"places": places, "datasets": datasets, "positive_share": shares, "undefined": reason}


def _column(gathered: _Gathered, part: Part) -> list[Measurement]:
    """Everybody's stored figure on a dataset, with the predictions that are redrawn."""
    none = Predictions({})
    return [
        Measurement(
            Figure(value, None if value is not None else "there is none"),
            {},
            {},
            predictions=part.predictions.get(entrant.submission, none),
        )
        for entrant, value in zip(gathered.task.entrants, gathered.values[part.dataset], strict=True)
    ]


def _lacking(plans: Mapping[str, Plan], measured: Measured, level: str) -> str | None:
    """Why somebody who has a figure cannot be redrawn, or None."""
    for name, plan in plans.items():
        for one in measured[name]:
            if one.ranking.value is not None and (reason := lacking(plan, one.predictions, level)):
                return f"{name}: {reason}"
    return None


def _share(plan: Plan, column: Sequence[Measurement]) -> float | None:
    """The mean share of positive voxels over the batches that rank, counted with one entrant's results."""
    histograms = next((one.predictions.histograms for one in column if one.predictions.histograms), None)
    if not histograms or not plan.batches or any(case not in histograms for case in plan.ids):
        return None
    decoded = [histograms[case] for case in plan.ids]
    voxels = [(one.positive_voxels, one.positive_voxels + one.negative_voxels) for one in decoded]
    shares = batch_shares(plan.batches[0], voxels)
    return fsum(shares) / len(shares)
