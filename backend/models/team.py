"""Teams: one per person and challenge, joined by invitation."""

import secrets

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from backend.models.base import Base, Dated, new_id
from backend.models.user import User

LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
"""Without vowels, so that no word comes out."""


def new_alias() -> str:
    """What a team is called while names are hidden; it tells nothing of the team."""
    return "Team " + "".join(secrets.choice(LETTERS) for _ in range(5))


class Team(Dated, Base):
    __tablename__ = "team"
    __table_args__ = (
        UniqueConstraint("challenge_id", "name"),
        Index("ix_team_alias", "challenge_id", "alias", unique=True),
    )

    id: Mapped[str] = mapped_column(String(24), primary_key=True, default=new_id)
    challenge_id: Mapped[str] = mapped_column(ForeignKey("challenge.id"), index=True)
    name: Mapped[str] = mapped_column(String(60))
    # Nullable only because SQLite adds no other column to a table that rows of others point to.
    alias: Mapped[str] = mapped_column(String(60), default=new_alias, nullable=True)
    baseline: Mapped[bool] = mapped_column(default=False)
    approved_at: Mapped[float | None]
    members: Mapped[list["Membership"]] = relationship(back_populates="team")


class Membership(Dated, Base):
    __tablename__ = "membership"
    __table_args__ = (UniqueConstraint("user_id", "challenge_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    team_id: Mapped[str] = mapped_column(ForeignKey("team.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("user_account.id", ondelete="CASCADE"))
    challenge_id: Mapped[str] = mapped_column(ForeignKey("challenge.id"))
    team: Mapped[Team] = relationship(back_populates="members")
    user: Mapped[User] = relationship()


class Invitation(Dated, Base):
    """A secret that admits one person to a team, once."""

    __tablename__ = "invitation"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    team_id: Mapped[str] = mapped_column(ForeignKey("team.id", ondelete="CASCADE"), index=True)
    created_by: Mapped[str] = mapped_column(ForeignKey("user_account.id", ondelete="CASCADE"))
    expires_at: Mapped[float]
    used_by: Mapped[str | None] = mapped_column(ForeignKey("user_account.id", ondelete="SET NULL"))
    team: Mapped[Team] = relationship()
