"""One image handed in, and everything that happened to it."""

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from backend.db import now
from backend.models.base import Base, Dated, new_id
from backend.models.challenge import Challenge
from backend.models.team import Team
from submissions.contract import Failure

ACTIVE_STATES = ("verify", "toy", "test", "score")
FINAL_STATES = ("ranked", "finished", "failed", "cancelled", "withdrawn")


class Submission(Dated, Base):
    """States: verify → toy → (counted: test) → score → ranked or finished; failed; cancelled; withdrawn.

    Only a ranked one is withdrawn, by organizers, and may be reinstated; `finished_at` stays.
    """

    __tablename__ = "submission"
    __table_args__ = (Index("ix_submission_quota", "team_id", "task", "kind"),)

    id: Mapped[str] = mapped_column(String(24), primary_key=True, default=new_id)
    challenge_id: Mapped[str] = mapped_column(ForeignKey("challenge.id"), index=True)
    team_id: Mapped[str] = mapped_column(ForeignKey("team.id"), index=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("user_account.id"), index=True)
    kind: Mapped[str] = mapped_column(String(10))  # toy, counted
    task: Mapped[str | None] = mapped_column(String(40))
    title: Mapped[str] = mapped_column(String(200))
    state: Mapped[str] = mapped_column(String(12), default="verify", index=True)
    archive_sha256: Mapped[str] = mapped_column(String(64), index=True)
    archive_size: Mapped[int] = mapped_column(BigInteger)
    image_id: Mapped[str | None] = mapped_column(String(80), index=True)
    image_volumes: Mapped[list[str]] = mapped_column(default=list)
    scripts: Mapped[list[str]] = mapped_column(default=list)
    warnings: Mapped[list[str]] = mapped_column(default=list)
    failure_code: Mapped[str | None] = mapped_column(String(40))
    failure_message: Mapped[str | None] = mapped_column(Text)
    failure_detail: Mapped[str | None] = mapped_column(Text)
    failure_ours: Mapped[bool] = mapped_column(default=False)
    finished_at: Mapped[float | None]
    challenge: Mapped[Challenge] = relationship()
    team: Mapped[Team] = relationship()
    transitions: Mapped[list["Transition"]] = relationship(order_by="Transition.id")

    @property
    def is_final(self) -> bool:
        return self.state in FINAL_STATES

    def move(self, session: Session, to: str, cause: str) -> None:
        """Change state and record it with time and cause; the caller holds the row's lock."""
        session.add(Transition(submission_id=self.id, before=self.state, after=to, cause=cause))
        self.state = to
        if to in FINAL_STATES and self.finished_at is None:
            self.finished_at = now()

    def fail(self, session: Session, failure: Failure) -> None:
        """End as failed, with one story for the participant and one for the operator."""
        self.failure_code, self.failure_message = failure.code, failure.message
        self.failure_detail, self.failure_ours = failure.detail, failure.ours
        self.move(session, "failed", failure.code)


class Transition(Dated, Base):
    __tablename__ = "transition"

    id: Mapped[int] = mapped_column(primary_key=True)
    submission_id: Mapped[str] = mapped_column(ForeignKey("submission.id", ondelete="CASCADE"), index=True)
    before: Mapped[str] = mapped_column(String(12))
    after: Mapped[str] = mapped_column(String(12))
    cause: Mapped[str] = mapped_column(String(200))
