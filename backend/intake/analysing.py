"""Runs on analysis sets, which follow once a counted submission is ranked, and never count.

They wait behind everybody's other runs. Whatever happens in them, the submission stays as it is.
"""

from collections.abc import Sequence

import numpy as np
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from backend.errors import Conflict, NotFound
from backend.intake.planning import LANE, current_version, pairs, runs_on
from backend.models.run import OPEN_STATES, Run
from backend.models.submission import Submission
from backend.queue import enqueue
from backend.storage import Storage
from submissions.contract import Code


def plan(session: Session, submission: Submission, rng: np.random.Generator, again: bool = False) -> int:
    """See that every analysis set of the current datasets is or will be run; returns how many runs wait anew.

    Runs on other versions of a dataset go with their results. What failed by our fault or was stopped is
    tried again, with `again` everything. The caller holds the submission's lock.
    """
    count = 0
    for task, dataset in pairs(submission):
        version = current_version(session, submission.challenge_id, dataset)
        known = _runs(session, submission, task, dataset)
        if not known or again or any(run.dataset_version != version.version for run in known):
            session.execute(delete(Run).where(Run.id.in_([run.id for run in known])))
            runs = runs_on(submission, version, "analysis", task, rng)
            session.add_all(runs)
            count += len(runs)
        else:
            count += sum(_retried(run) for run in known)
    if count:
        session.flush()
        enqueue(session, LANE["analysis"])
    return count


def _runs(session: Session, submission: Submission, task: str, dataset: str) -> Sequence[Run]:
    query = select(Run).where(
        Run.submission_id == submission.id,
        Run.stage == "analysis",
        Run.task == task,
        Run.dataset == dataset,
    )
    return session.scalars(query.order_by(Run.id).with_for_update()).all()


def _retried(run: Run) -> bool:
    if run.state in OPEN_STATES or run.state == "done":
        return False
    if run.state == "failed" and run.failure_code != Code.PLATFORM:
        return False  # the image's fault, and its results are there
    run.state, run.attempt, run.cancel_requested = "waiting", 0, False
    run.worker = run.finished_at = run.failure_code = run.failure_message = run.failure_detail = None
    return True


def analyse(
    session: Session, storage: Storage, submission_id: str, rng: np.random.Generator, again: bool = False
) -> int:
    """`plan` for a submission that was ranked, on an operator's demand; returns how many runs wait anew.

    Raises:
        NotFound: there is none.
        Conflict: it is not ranked, its archive was deleted, or there is no analysis set.
    """
    submission = session.scalar(select(Submission).where(Submission.id == submission_id).with_for_update())
    if submission is None:
        raise NotFound("no_such_submission", "There is no such submission.")
    if submission.state != "ranked":
        raise Conflict(
            "not_ranked", f"Only ranked submissions are run on analysis sets; this one is {submission.state}."
        )
    if not storage.has(submission.archive_sha256):
        raise Conflict("archive_gone", "The archive was deleted; the team has to upload it again.")
    if not any(_cases(session, submission, *pair) for pair in pairs(submission)):
        raise Conflict(
            "no_analysis_sets",
            f"The datasets of {submission.challenge_id} have no analysis sets. Add `analysis` to the YAML, "
            "build the datasets again, and register them.",
        )
    return plan(session, submission, rng, again)


def _cases(session: Session, submission: Submission, task: str, dataset: str) -> int:
    version = current_version(session, submission.challenge_id, dataset)
    return len(version.manifest.cases_of("analysis", task))
