"""A board that was frozen before its reveal: who is on it, under which rules."""

from typing import Any

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.models.base import Base, Dated


class FrozenBoard(Dated, Base):
    """The entries of all tasks as they were when the board was frozen: `{task: [submission ids]}`.

    It holds until it is released; a challenge has one at a time. `published_at` is None until it is shown
    to everybody, and again once that is undone.
    """

    __tablename__ = "frozen_board"
    __table_args__ = (
        Index(
            "ix_frozen_board_in_force",
            "challenge_id",
            unique=True,
            sqlite_where=text("released_at IS NULL"),
            postgresql_where=text("released_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    challenge_id: Mapped[str] = mapped_column(ForeignKey("challenge.id"), index=True)
    scoring_version_id: Mapped[int] = mapped_column(ForeignKey("scoring_version.id"))
    entries: Mapped[dict[str, Any]]
    published_at: Mapped[float | None]
    released_at: Mapped[float | None]
