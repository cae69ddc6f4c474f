"""What organizers and operators do with submissions. A deed is in the audit log if, and only if, it is done.

Every deed has a check that changes nothing, for pages that say beforehand what will be refused and why.
"""

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from backend.audit import service as audit
from backend.db import Database
from backend.errors import Conflict, NotFound
from backend.intake import service
from backend.intake.service import await_verification
from backend.models.reveal import FrozenBoard
from backend.models.run import Run
from backend.models.submission import Submission
from backend.models.user import User
from backend.results import rescoring, versions
from backend.results.rescoring import SCORED_STATES
from backend.storage import Storage


def check_cancel(submission: Submission) -> None:
    """Raises `Conflict` if it is over."""
    if submission.is_final:
        raise Conflict("already_over", f"It is over: {submission.state}.", state=submission.state)


def cancel(session: Session, submission_id: str, actor: User, reason: str = "") -> Submission:
    """Stop a submission, whatever it waits for; it costs its team nothing.

    Raises:
        NotFound: there is none.
        Conflict: it is over.
    """
    return service.cancel(session, actor, submission_id, reason)


def check_rerun(session: Session, storage: Storage, submission: Submission) -> None:
    """Raises `Conflict` if it is not over, withdrawn, on a frozen board, or its archive was deleted."""
    if not submission.is_final:
        raise Conflict("not_over", "The submission is under way. Cancel it first.")
    if submission.state == "withdrawn":
        raise Conflict("withdrawn", "The submission was withdrawn. Reinstate it first.")
    check_not_frozen(session, submission)
    if not storage.has(submission.archive_sha256):
        raise Conflict("archive_gone", "The archive was deleted; the team has to upload it again.")


def rerun(
    session: Session, storage: Storage, submission_id: str, actor: User | str, reason: str = ""
) -> Submission:
    """Send a submission that is over through all stages again; runs, results and scores start anew.

    Raises:
        NotFound: there is none.
        Conflict: see `check_rerun`.
    """
    submission = _held_with_board(session, submission_id)
    check_rerun(session, storage, submission)
    before = {"state": submission.state, "failure": submission.failure_code}
    # Results and scores go with their runs; a worker that still holds one finds its token void.
    session.execute(delete(Run).where(Run.submission_id == submission.id))
    submission.failure_code = submission.failure_message = submission.failure_detail = None
    submission.failure_ours = False
    submission.finished_at = None
    submission.move(session, "verify", "run again by an operator")
    await_verification(session, submission)
    _record(session, actor, "rerun", submission, reason, before=before)
    return submission


def check_withdraw(session: Session, submission: Submission) -> None:
    """Raises `Conflict` if it is not ranked, or on a frozen board."""
    if submission.state != "ranked":
        raise Conflict("not_ranked", f"Only a ranked submission is withdrawn; it is {_word(submission)}.")
    check_not_frozen(session, submission)


def withdraw(session: Session, submission_id: str, actor: User | str, reason: str = "") -> Submission:
    """Take a ranked submission off the board; it still costs quota, the team's ranked one before it counts.

    Raises:
        NotFound: there is none.
        Conflict: see `check_withdraw`.
    """
    submission = _held_with_board(session, submission_id)
    check_withdraw(session, submission)
    submission.move(session, "withdrawn", "withdrawn by the organizers")
    session.flush()
    _record(session, actor, "withdraw", submission, reason, counts_now=counting(session, submission))
    return submission


def check_reinstate(submission: Submission) -> None:
    """Raises `Conflict` if it is not withdrawn."""
    if submission.state != "withdrawn":
        raise Conflict(
            "not_withdrawn", f"Only a withdrawn submission is reinstated; it is {_word(submission)}."
        )


def reinstate(session: Session, submission_id: str, actor: User | str, reason: str = "") -> Submission:
    """Undo `withdraw`: the submission is ranked again.

    Raises:
        NotFound: there is none.
        Conflict: see `check_reinstate`.
    """
    submission = _held_with_board(session, submission_id)
    check_reinstate(submission)
    submission.move(session, "ranked", "reinstated by the organizers")
    session.flush()
    _record(session, actor, "reinstate", submission, reason, counts_now=counting(session, submission))
    return submission


def check_rescore(session: Session, submission: Submission) -> None:
    """Raises `Conflict` if it was not scored, or is on a frozen board."""
    if submission.state not in SCORED_STATES:
        raise Conflict("not_scored", f"There is nothing to score: it is {_word(submission)}.")
    check_not_frozen(session, submission)


def rescore(
    database: Database, submission_id: str, actor: User | str, reason: str = ""
) -> list[dict[str, object]]:
    """Compute a submission's figures anew from what is stored per case, under all scoring versions.

    No container runs, and figures only change if the code has. Returns what changed.

    Raises:
        NotFound: there is none.
        Conflict: see `check_rescore`, or what is stored does not suffice.
    """
    with database.read() as session:
        submission = found(session, submission_id)
        check_rescore(session, submission)
        prepared = rescoring.prepare(session, submission)
    with database.write() as session:
        submission = _held_with_board(session, submission_id)
        check_rescore(session, submission)
        renewed = rescoring.renew(session, submission, prepared)
        told = {"figures": renewed.figures, "changed": renewed.changes}
        _record(session, actor, "rescore", submission, reason, **told)
    return renewed.changes


def _word(submission: Submission) -> str:
    return submission.state if submission.is_final else "under way"


def found(session: Session, submission_id: str) -> Submission:
    """Any team's submission.

    Raises:
        NotFound: there is none.
    """
    if (submission := session.get(Submission, submission_id)) is None:
        raise NotFound("no_such_submission", "There is no such submission.")
    return submission


def held(session: Session, submission_id: str) -> Submission:
    """The same, locked until the transaction ends."""
    query = select(Submission).where(Submission.id == submission_id).with_for_update()
    if (submission := session.scalar(query)) is None:
        raise NotFound("no_such_submission", "There is no such submission.")
    return submission


def _held_with_board(session: Session, submission_id: str) -> Submission:
    """Locked together with the challenge, so that no board is frozen and nothing rescored meanwhile.

    The challenge first, as a rescoring does, and only if the submission is over: see `versions.lock`.
    """
    submission = found(session, submission_id)
    if submission.is_final:
        versions.lock(session, submission.challenge_id)
    session.refresh(submission, with_for_update=True)
    return submission


def check_not_frozen(session: Session, submission: Submission) -> None:
    """Raises `Conflict` if the submission is on a board that was frozen."""
    query = select(FrozenBoard.entries).where(
        FrozenBoard.challenge_id == submission.challenge_id, FrozenBoard.released_at.is_(None)
    )
    frozen = session.scalar(query) or {}
    if any(submission.id in entries for entries in frozen.values()):
        raise Conflict("board_frozen", "It is on the frozen board. Unfreeze the board first, under Reveal.")


def counting(session: Session, submission: Submission, without: str = "") -> str | None:
    """The id of the submission that counts for this one's team in this one's task, if any does.

    `without` names one that is left out, as if it were withdrawn.
    """
    query = select(Submission.id).where(
        Submission.team_id == submission.team_id,
        Submission.task == submission.task,
        Submission.kind == "counted",
        Submission.state == "ranked",
        Submission.id != without,
    )
    return session.scalar(query.order_by(Submission.created_at.desc(), Submission.id.desc()).limit(1))


def _record(
    session: Session, actor: User | str, deed: str, submission: Submission, reason: str, **details: object
) -> None:
    audit.record(
        session, actor, f"submission.{deed}", submission.challenge_id, submission.id, reason, **details
    )
