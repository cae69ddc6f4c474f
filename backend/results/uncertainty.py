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
    """A board's basis, and what its intervals are computed from; no session is needed any more."""

    basis: Basis
    study: Study
    task: TaskStudy
    values: Mapping[str, Sequence[float | None]]


def work(database: Database) -> bool:
    """Compute and store the intervals of one board; False if none lacks them."""
    basis = _claimed(database)
    if basis is None:
        return False
    with database.read() as session:
        gathered = _gather(session, basis)
    found = _compute(gathered)
    with database.write() as session:
        if _basis(session, basis.challenge, basis.task) == gathered.basis == basis:
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
            board = _entered(session, challenge, task)
            found += [board.basis] if board.entries else []
    return found


def _entered(session: Session, challenge: Challenge, task: str) -> Entered:
    return entered(session, challenge, task, versions.current(session, challenge.id))


def _basis(session: Session, challenge: str, task: str) -> Basis:
    return _entered(session, session.get_one(Challenge, challenge), task).basis


def _is_due(session: Session, basis: Basis) -> bool:
    row = session.get(Standing, basis.digest)
    return row is None or (row.found is None and row.claimed_until < session.scalars(select(now())).one())


def _gather(session: Session, basis: Basis) -> _Gathered:
    challenge = session.get_one(Challenge, basis.challenge)
    board, about = _entered(session, challenge, basis.task), challenge.spec.tasks[basis.task]
    parts, ranking = hidden_parts(session, challenge, basis.task), challenge.spec.ranking
    values = {
        part.dataset: [board.average_precision(entry.id, part.dataset) for entry in board.entries]
        for part in parts
    }
    task = TaskStudy(basis.task, about.title, about.level, {}, board.entrants, parts, ())
    study = Study(
        challenge.id, challenge.title, None, [task], {}, bootstraps=ranking.bootstraps, seed=ranking.seed
    )
    return _Gathered(board.basis, study, task, values)


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
