"""Who did what to a challenge, when and why. The database itself refuses to change or remove an entry."""

from typing import Any

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from backend.models.base import Base, Dated


class AuditEntry(Dated, Base):
    """One deed of an organizer or operator, written with the change that it tells of.

    Names are kept as they were: an entry outlives the person, the challenge and the `subject` (the id of a
    submission, a team …) that it is about. `details` holds what changed, as JSON.
    """

    __tablename__ = "audit_entry"

    id: Mapped[int] = mapped_column(primary_key=True)
    actor: Mapped[str] = mapped_column(String(60))
    action: Mapped[str] = mapped_column(String(40), index=True)
    challenge_id: Mapped[str | None] = mapped_column(String(40), index=True)
    subject: Mapped[str] = mapped_column(String(60), default="")
    reason: Mapped[str] = mapped_column(Text, default="")
    details: Mapped[dict[str, Any]] = mapped_column(default=dict)
