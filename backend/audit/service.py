"""The audit log: every deed of an organizer, written in the transaction that does it."""

from typing import Any

from sqlalchemy.orm import Session

from backend.errors import BadInput
from backend.models.audit import AuditEntry
from backend.models.user import User

MOST_REASON = 1000
MOST_ACTOR = 60


def record(
    session: Session,
    actor: User | str,
    action: str,
    challenge: str | None = None,
    subject: str = "",
    reason: str = "",
    **details: Any,
) -> AuditEntry:
    """Write down who did what, and why; it is there if, and only if, the change is.

    Args:
        session: that of the change.
        actor: who did it, or the name of whoever decided it; at the console `console.operator()`.
        action: `noun.verb`, such as `submission.withdraw`.
        challenge: id of the challenge, if it is about one.
        subject: id of the submission, team … that it is about.
        reason: in the words of the one who did it.
        details: what changed, as JSON.

    Raises:
        BadInput: the reason is too long, or not text.
    """
    reason = check(reason)
    name = actor if isinstance(actor, str) else actor.name
    entry = AuditEntry(
        actor=name[:MOST_ACTOR],
        action=action,
        challenge_id=challenge,
        subject=subject,
        reason=reason,
        details=details,
    )
    session.add(entry)
    session.flush()
    return entry


def check(reason: str) -> str:
    """The reason, without what is around it.

    Raises:
        BadInput: it is too long, or not text.
    """
    reason = reason.strip()
    if len(reason) > MOST_REASON or not reason.replace("\r", "").replace("\n", "").isprintable():
        raise BadInput("reason", f"A reason has {MOST_REASON} printable characters at most.")
    return reason


def demand(reason: str) -> str:
    """The reason, without what is around it, where a deed needs one.

    Raises:
        BadInput: there is none, or see `check`.
    """
    if not reason.strip():
        raise BadInput("reason_missing", "Say why: the reason is written into the audit log.")
    return check(reason)
