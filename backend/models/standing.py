"""How sure the places of a board are, kept by what that was computed from."""

from typing import Any

from sqlalchemy import JSON, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from backend.models.base import Base, Dated


class Standing(Dated, Base):
    """The intervals of one board. They never grow stale: a board that changed has another `digest`.

    `digest` is the SHA-256 of all that the computation hangs on. `found` is None while a worker computes;
    from `claimed_until` on another one may try.
    """

    __tablename__ = "standing"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    challenge_id: Mapped[str] = mapped_column(ForeignKey("challenge.id"), index=True)
    task: Mapped[str] = mapped_column(String(40))
    claimed_until: Mapped[float]
    found: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
