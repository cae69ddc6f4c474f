"""What follows what: verify → toy → (counted: test) → score → ranked or finished; then analysis sets."""

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backend.intake import analysing
from backend.intake.planning import LANE, current_version, pairs, runs_on
from backend.models.run import Run
from backend.models.submission import Submission
from backend.queue import enqueue

_NEXT = {"verify": "toy", "test": "score"}


def advance(session: Session, submission: Submission, rng: np.random.Generator) -> None:
    """Move on if every run of the current stage is done; the caller holds the submission's lock."""
    if submission.is_final or _unfinished(session, submission):
        return
    stage = _NEXT.get(submission.state) or _after(submission)
    if stage in ("ranked", "finished"):
        submission.move(session, stage, "scored")
        if stage == "ranked":
            analysing.plan(session, submission, rng)
        return
    submission.move(session, stage, f"{submission.state} done")
    _plan(session, submission, stage, rng)
    enqueue(session, LANE[stage])


def _after(submission: Submission) -> str:
    counted = submission.kind == "counted"
    if submission.state == "toy":
        return "test" if counted else "score"
    return "ranked" if counted else "finished"


def _unfinished(session: Session, submission: Submission) -> int:
    query = select(func.count()).where(
        Run.submission_id == submission.id, Run.stage == submission.state, Run.state != "done"
    )
    return session.scalar(query) or 0


def _plan(session: Session, submission: Submission, stage: str, rng: np.random.Generator) -> None:
    if stage == "score":
        session.add(Run(submission_id=submission.id, stage=stage, lane=LANE[stage]))
        return
    for task, dataset in pairs(submission):
        version = current_version(session, submission.challenge_id, dataset)
        session.add_all(runs_on(submission, version, stage, task, rng))
