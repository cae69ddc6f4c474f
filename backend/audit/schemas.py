"""What goes over the wire about the deeds of organizers."""

from typing import Any

from pydantic import BaseModel

from backend.models.audit import AuditEntry


class AuditView(BaseModel):
    """One deed: who (`actor`) did what (`action`) to what (`subject`), when and why; `details` differ."""

    id: int
    at: float
    actor: str
    action: str
    challenge: str | None
    subject: str
    reason: str
    details: dict[str, Any]

    @classmethod
    def of(cls, entry: AuditEntry) -> "AuditView":
        return cls(
            id=entry.id,
            at=entry.created_at,
            actor=entry.actor,
            action=entry.action,
            challenge=entry.challenge_id,
            subject=entry.subject,
            reason=entry.reason,
            details=entry.details,
        )
