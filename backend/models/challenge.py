"""A challenge as registered: its YAML word for word, what changed since, and the versions of its datasets."""

import json
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from backend.models.base import Base, Dated
from backend.models.reveal import FrozenBoard
from challenges import spec
from challenges.changes import changed, revealed
from datasets.manifest import Manifest


class Challenge(Dated, Base):
    """`settings` are what organizers changed of the YAML since, by dotted name: `{"dates.closes": …}`.

    `frozen` is the board that is frozen now, if any.
    """

    __tablename__ = "challenge"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    title: Mapped[str] = mapped_column(String(200))
    spec_text: Mapped[str] = mapped_column(Text)
    settings: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    datasets: Mapped[list["DatasetVersion"]] = relationship(back_populates="challenge")
    frozen: Mapped[FrozenBoard | None] = relationship(
        primaryjoin=lambda: (Challenge.id == FrozenBoard.challenge_id) & FrozenBoard.released_at.is_(None),
        viewonly=True,
        lazy="selectin",
    )

    @property
    def written(self) -> spec.Challenge:
        """The rules as the YAML has them."""
        return _parsed_spec(self.spec_text, self.id)

    @property
    def spec(self) -> spec.Challenge:
        """The rules in force: the YAML, what was changed since, and whether the board was published."""
        published = self.frozen.published_at if self.frozen else None
        return _effective(self.spec_text, self.id, json.dumps(self.settings or {}, sort_keys=True), published)


class DatasetVersion(Dated, Base):
    """One built dataset. Its files lie in storage by digest; runs are made from the current version."""

    __tablename__ = "dataset_version"
    __table_args__ = (UniqueConstraint("challenge_id", "name", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    challenge_id: Mapped[str] = mapped_column(ForeignKey("challenge.id"), index=True)
    name: Mapped[str] = mapped_column(String(40))
    version: Mapped[str] = mapped_column(String(64))
    manifest_text: Mapped[str] = mapped_column(Text)
    current: Mapped[bool] = mapped_column(default=True)
    challenge: Mapped[Challenge] = relationship(back_populates="datasets")

    @property
    def manifest(self) -> Manifest:
        return _parsed_manifest(self.manifest_text)


@lru_cache(maxsize=64)
def _effective(text: str, name: str, settings: str, published: float | None) -> spec.Challenge:
    found = changed(_parsed_spec(text, name), json.loads(settings))
    return found if published is None else revealed(found, datetime.fromtimestamp(int(published), UTC))


@lru_cache(maxsize=32)
def _parsed_spec(text: str, name: str) -> spec.Challenge:
    return spec.parse(text, name)


@lru_cache(maxsize=32)
def _parsed_manifest(text: str) -> Manifest:
    return Manifest.model_validate_json(text)
