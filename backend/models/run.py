"""Work to be done by workers, claimed under leases with fencing tokens."""

from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from backend.models.base import Base, Dated
from backend.models.submission import Submission

OPEN_STATES = ("waiting", "running")


class Run(Dated, Base):
    """One piece of work: verifying an image, one shard of cases in one container, or scoring.

    Runs of the stage `analysis` follow when the submission is ranked; nothing hangs on how they end.

    `cases` is a list of `{"id": case id, "name": opaque file name in the container}`. Every claim raises
    `token`; whoever writes results must hold the current one. `lane` is the queue: toy or test.
    """

    __tablename__ = "run"
    __table_args__ = (
        UniqueConstraint("submission_id", "stage", "task", "dataset", "shard"),
        Index("ix_run_claim", "lane", "state", "priority", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    submission_id: Mapped[str] = mapped_column(ForeignKey("submission.id", ondelete="CASCADE"), index=True)
    stage: Mapped[str] = mapped_column(String(10))  # verify toy test score analysis
    task: Mapped[str] = mapped_column(String(40), default="")
    dataset: Mapped[str] = mapped_column(String(40), default="")
    dataset_version: Mapped[str] = mapped_column(String(64), default="")
    shard: Mapped[int] = mapped_column(default=0)
    cases: Mapped[list[Any]] = mapped_column(default=list)
    lane: Mapped[str] = mapped_column(String(10))  # toy, test
    priority: Mapped[int] = mapped_column(default=0)
    state: Mapped[str] = mapped_column(String(10), default="waiting")  # waiting running done failed cancelled
    attempt: Mapped[int] = mapped_column(default=0)
    token: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[float | None]
    cancel_requested: Mapped[bool] = mapped_column(default=False)
    worker: Mapped[str | None] = mapped_column(String(120))
    started_at: Mapped[float | None]
    finished_at: Mapped[float | None]
    wall_seconds: Mapped[float | None]
    peak_memory: Mapped[int | None] = mapped_column(BigInteger)
    log: Mapped[str | None] = mapped_column(Text)
    failure_code: Mapped[str | None] = mapped_column(String(40))
    failure_message: Mapped[str | None] = mapped_column(Text)
    failure_detail: Mapped[str | None] = mapped_column(Text)
    submission: Mapped[Submission] = relationship()

    @property
    def is_beside(self) -> bool:
        """Whether the run is on analysis sets: it comes after the end, and changes nothing of it."""
        return self.stage == "analysis"


class Outbox(Dated, Base):
    """A wake-up call that is owed: written with the change it announces, deleted once it was sent."""

    __tablename__ = "outbox"

    id: Mapped[int] = mapped_column(primary_key=True)
    lane: Mapped[str] = mapped_column(String(10))


class WorkerSlot(Base):
    """A place where runs are carried out, and when it was last heard of."""

    __tablename__ = "worker_slot"

    name: Mapped[str] = mapped_column(String(120), primary_key=True)
    lane: Mapped[str] = mapped_column(String(10))
    device: Mapped[str] = mapped_column(String(80))
    seen_at: Mapped[float]
