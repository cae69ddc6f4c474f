"""A working image of the organizers that participants may start from."""

from sqlalchemy import BigInteger, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from backend.models.base import Base, Dated


class WorkingSample(Dated, Base):
    """An archive in storage that passes all checks of a challenge, one per challenge."""

    __tablename__ = "working_sample"

    challenge_id: Mapped[str] = mapped_column(ForeignKey("challenge.id"), primary_key=True)
    title: Mapped[str] = mapped_column(String(200))
    archive_sha256: Mapped[str] = mapped_column(String(64))
    archive_size: Mapped[int] = mapped_column(BigInteger)
