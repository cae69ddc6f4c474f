"""What was found per case, and the figures computed from it."""

from typing import Any

from sqlalchemy import ForeignKey, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from backend.models.base import Base, Dated
from backend.models.scoring import ScoringVersion


class CaseResult(Dated, Base):
    """Outcome of one case. `score`: a case-level prediction; `statistic`: a voxel histogram as bytes.

    The statistic of a case without a usable prediction has all voxels at 0, whatever the challenge's policy:
    that is applied when figures are computed. `figures` holds what a histogram cannot tell, for voxels
    `distinct` (values in use) and `objects` ({threshold: [found, false, overlooked]}). `detail` is for the
    owner of a toy run and the operator, never shown for hidden cases. `view_sha256` names the uint8 copy of a
    toy anomaly map that pages draw.
    """

    __tablename__ = "case_result"
    __table_args__ = (UniqueConstraint("submission_id", "stage", "task", "dataset", "case_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"), index=True)
    submission_id: Mapped[str] = mapped_column(ForeignKey("submission.id", ondelete="CASCADE"), index=True)
    stage: Mapped[str] = mapped_column(String(10))
    task: Mapped[str] = mapped_column(String(40))
    dataset: Mapped[str] = mapped_column(String(40))
    case_id: Mapped[str] = mapped_column(String(64))
    outcome: Mapped[str] = mapped_column(String(20))
    detail: Mapped[str] = mapped_column(Text, default="")
    score: Mapped[float | None]
    statistic: Mapped[bytes | None] = mapped_column(LargeBinary)
    view_sha256: Mapped[str | None] = mapped_column(String(64))
    figures: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")


class Score(Dated, Base):
    """Figures of one submission on one part of one dataset under one scoring version.

    `average_precision` None means undefined. `run_id` is the scoring run that found all results complete;
    every figure stands on those results, also one that a later scoring version added.
    """

    __tablename__ = "score"
    __table_args__ = (UniqueConstraint("submission_id", "scoring_version_id", "stage", "task", "dataset"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"))
    submission_id: Mapped[str] = mapped_column(ForeignKey("submission.id", ondelete="CASCADE"), index=True)
    scoring_version_id: Mapped[int] = mapped_column(ForeignKey("scoring_version.id"), index=True)
    stage: Mapped[str] = mapped_column(String(10))  # toy, test
    task: Mapped[str] = mapped_column(String(40))
    dataset: Mapped[str] = mapped_column(String(40))
    dataset_version: Mapped[str] = mapped_column(String(64))
    average_precision: Mapped[float | None]
    validation: Mapped[float | None]
    undefined_because: Mapped[str | None] = mapped_column(String(200))
    outcomes: Mapped[dict[str, Any]] = mapped_column(default=dict)
    scoring_version: Mapped[ScoringVersion] = relationship()
