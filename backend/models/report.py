"""What is known of a challenge's results, kept by what that was computed from."""

from typing import Any

from sqlalchemy import JSON, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from backend.models.base import Base, Dated


class Report(Dated, Base):
    """The report of a challenge. It never grows stale: other results have another `digest`.

    `digest` is the SHA-256 of all that the report hangs on. Until `computed_at` a worker computes; from
    `claimed_until` on another one may try. `document` is what `python -m backend report` writes; `cases`
    names hidden cases, with everybody's figure of each, and is for organizers only. Both are None, with the
    reason in `failure`, where there can be no report.
    """

    __tablename__ = "report"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    challenge_id: Mapped[str] = mapped_column(ForeignKey("challenge.id"), index=True)
    claimed_until: Mapped[float]
    computed_at: Mapped[float | None]
    failure: Mapped[str | None] = mapped_column(Text)
    document: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True), deferred=True)
    cases: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True), deferred=True)
