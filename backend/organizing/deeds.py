"""Deeds of organizers for many submissions: told beforehand, done one by one, and reported one by one."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.audit import service as audit
from backend.errors import MoodarenaError
from backend.intake import operations
from backend.intake.wake import announce
from backend.models.audit import AuditEntry
from backend.models.submission import Submission
from backend.models.user import User
from backend.organizing.schemas import DeedName, Done, Planned
from backend.platform import Platform
from backend.storage import Storage

WORDS: dict[DeedName, str] = {
    "cancel": "Cancel",
    "rerun": "Run again",
    "rescore": "Rescore",
    "withdraw": "Withdraw",
    "reinstate": "Reinstate",
}
MEANING: dict[DeedName, str] = {
    "cancel": "Stops it, whatever it waits for. It costs its team nothing.",
    "rerun": "Sends it through all stages again; runs, results and scores so far are removed.",
    "rescore": "Computes its figures anew from what is stored, under all scoring versions, without a "
    "container. They stay the same unless the code has changed.",
    "withdraw": "Takes it off the board. It still costs quota; the team’s ranked one before it counts again.",
    "reinstate": "Undoes a withdrawal: it is ranked again.",
}
DONE: dict[DeedName, str] = {
    "cancel": "Cancelled.",
    "rerun": "Waits for a worker again.",
    "rescore": "Scored anew: every figure is what it was.",
    "withdraw": "Withdrawn.",
    "reinstate": "Ranked again.",
}


def plan(session: Session, storage: Storage, deed: DeedName, ids: Sequence[str]) -> list[Planned]:
    """What the deed would do to each submission; one that is not there is left out."""
    return [_planned(session, storage, deed, submission) for submission in _of(session, ids)]


def possible(session: Session, storage: Storage, submission: Submission) -> list[DeedName]:
    """What may be done to a submission now."""
    return [deed for deed in WORDS if refusal(session, storage, deed, submission) is None]


def _planned(session: Session, storage: Storage, deed: DeedName, submission: Submission) -> Planned:
    refused = refusal(session, storage, deed, submission)
    return Planned(
        id=submission.id,
        title=submission.title,
        team=submission.team.name,
        challenge=submission.challenge_id,
        state=submission.state,
        refused=refused,
        effect="" if refused else _effect(session, deed, submission),
    )


def refusal(session: Session, storage: Storage, deed: DeedName, submission: Submission) -> str | None:
    """Why the deed would be refused now; None if it would not."""
    try:
        match deed:
            case "cancel":
                operations.check_cancel(submission)
            case "rerun":
                operations.check_rerun(session, storage, submission)
            case "rescore":
                operations.check_rescore(session, submission)
            case "withdraw":
                operations.check_withdraw(session, submission)
            case "reinstate":
                operations.check_reinstate(submission)
    except MoodarenaError as error:
        return error.message
    return None


def _effect(session: Session, deed: DeedName, submission: Submission) -> str:
    match deed:
        case "cancel":
            return "Stops; costs its team nothing."
        case "rerun" if submission.state == "ranked":
            return "Loses its results and leaves the board until it is ranked again."
        case "rerun":
            return "Loses its results so far and waits for a worker."
        case "rescore":
            return "Keeps its place unless a figure changes."
        case "withdraw":
            return _after_withdrawal(session, submission)
        case "reinstate":
            return _after_return(session, submission)


def _after_withdrawal(session: Session, submission: Submission) -> str:
    if operations.counting(session, submission) != submission.id:
        return "The board stays as it is: a later submission of the team counts."
    if before := operations.counting(session, submission, without=submission.id):
        return f"The team’s “{session.get_one(Submission, before).title}” counts instead."
    return "The team leaves the board of this task."


def _after_return(session: Session, submission: Submission) -> str:
    now_counts = operations.counting(session, submission)
    other = session.get(Submission, now_counts) if now_counts else None
    if other and (other.created_at, other.id) > (submission.created_at, submission.id):
        return f"Is ranked again, but the team’s later “{other.title}” counts."
    return "Is ranked again, and counts for its team."


def carry_out(platform: Platform, actor: User, deed: DeedName, ids: Sequence[str], reason: str) -> list[Done]:
    """Do it to each submission, in a transaction of its own; what is refused leaves the others alone.

    Raises:
        BadInput: no reason is given, or it cannot be used.
    """
    audit.demand(reason)
    done = [_one(platform, actor, deed, submission, reason) for submission in dict.fromkeys(ids)]
    announce(platform)
    return done


def _one(platform: Platform, actor: User, deed: DeedName, submission: str, reason: str) -> Done:
    with platform.database.read() as session:
        row = session.get(Submission, submission)
        title = row.title if row else ""
    try:
        told = _do(platform, actor, deed, submission, reason)
    except MoodarenaError as error:
        return Done(id=submission, title=title, done=False, told=error.message)
    return Done(id=submission, title=title, done=True, told=told)


def _do(platform: Platform, actor: User, deed: DeedName, submission: str, reason: str) -> str:
    if deed == "rescore":
        return rescored(operations.rescore(platform.database, submission, actor, reason))
    with platform.database.write() as session:
        match deed:
            case "cancel":
                operations.check_cancel(operations.held(session, submission))
                operations.cancel(session, submission, actor, reason)
            case "rerun":
                operations.rerun(session, platform.storage, submission, actor, reason)
            case "withdraw":
                operations.withdraw(session, submission, actor, reason)
            case "reinstate":
                operations.reinstate(session, submission, actor, reason)
    return DONE[deed]


def rescored(changes: Sequence[object]) -> str:
    """What a rescoring changed, as a sentence."""
    if not changes:
        return DONE["rescore"]
    return f"Scored anew: {len(changes)} figure{'s' if len(changes) > 1 else ''} changed; see the audit log."


def report(session: Session, storage: Storage, deed: DeedName, ids: Sequence[str], since: int) -> list[Done]:
    """What became of a deed: done if the audit log says so after the entry `since`, else why not."""
    entries = select(AuditEntry).where(
        AuditEntry.id > since, AuditEntry.action == f"submission.{deed}", AuditEntry.subject.in_(ids)
    )
    found = {entry.subject: entry for entry in session.scalars(entries.order_by(AuditEntry.id))}
    return [_reported(session, storage, deed, item, found.get(item.id)) for item in _of(session, ids)]


def _of(session: Session, ids: Sequence[str]) -> Sequence[Submission]:
    query = select(Submission).where(Submission.id.in_(ids))
    return session.scalars(query.order_by(Submission.created_at, Submission.id)).all()


def _reported(
    session: Session, storage: Storage, deed: DeedName, submission: Submission, entry: AuditEntry | None
) -> Done:
    if entry is None:
        told = refusal(session, storage, deed, submission) or "It was not done. Try again."
    elif deed == "rescore":
        told = rescored(entry.details.get("changed", []))
    else:
        told = DONE[deed]
    return Done(id=submission.id, title=submission.title, done=entry is not None, told=told)


def last_entry(session: Session) -> int:
    """The number of the newest entry of the audit log, 0 if there is none."""
    return session.scalar(select(AuditEntry.id).order_by(AuditEntry.id.desc()).limit(1)) or 0
