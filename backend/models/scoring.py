"""Under which rules figures are computed: the scoring versions of a challenge."""

from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.models.base import Base, Dated


class ScoringVersion(Dated, Base):
    """One way to compute figures from what is stored per case; never changed once it is there.

    `policy`: {task: {"missing": …, "metric": {…}}}, as in the challenge's YAML. `arrangements`, {dataset:
    {task: arrangements of batches of case ids}}, are drawn anew with `arrangement_seed`; a task that is not
    in them, and None, mean those of the dataset's manifest. The version that is `current`, one per
    challenge, makes the public board.
    """

    __tablename__ = "scoring_version"
    __table_args__ = (
        UniqueConstraint("challenge_id", "number"),
        Index(
            "ix_scoring_version_current",
            "challenge_id",
            unique=True,
            sqlite_where=text("current"),
            postgresql_where=text("current"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    challenge_id: Mapped[str] = mapped_column(ForeignKey("challenge.id"))
    number: Mapped[int]
    policy: Mapped[dict[str, Any]]
    arrangements: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    arrangement_seed: Mapped[int | None] = mapped_column(BigInteger)
    reason: Mapped[str] = mapped_column(Text)
    created_by: Mapped[str] = mapped_column(String(60))
    current: Mapped[bool] = mapped_column(default=False)
    current_since: Mapped[float | None]
