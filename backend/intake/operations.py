"""What operators do with submissions."""

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from backend.errors import Conflict, NotFound
from backend.intake.service import await_verification
from backend.models.run import Run
from backend.models.submission import Submission
from backend.storage import Storage


def rerun(session: Session, storage: Storage, submission_id: str) -> Submission:
    """Send a submission that is over through all stages again; runs, results and scores start anew.

    Raises:
        NotFound: there is none.
        Conflict: it is not over, or its archive was deleted.
    """
    submission = session.scalar(select(Submission).where(Submission.id == submission_id).with_for_update())
    if submission is None:
        raise NotFound("no_such_submission", "There is no such submission.")
    if not submission.is_final:
        raise Conflict("not_over", f"The submission is under way: {submission.state}. Cancel it first.")
    if not storage.has(submission.archive_sha256):
        raise Conflict("archive_gone", "The archive was deleted; the team has to upload it again.")
    # Results and scores go with their runs; a worker that still holds one finds its token void.
    session.execute(delete(Run).where(Run.submission_id == submission.id))
    submission.failure_code = submission.failure_message = submission.failure_detail = None
    submission.failure_ours = False
    submission.finished_at = None
    submission.move(session, "verify", "run again by an operator")
    await_verification(session, submission)
    return submission
