"""What all tables share. Every time is seconds since the epoch by the database's clock."""

import secrets
from typing import Any

from sqlalchemy import JSON, Float, MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from backend.db import now


def new_id() -> str:
    """An identifier that cannot be guessed: 24 hexadecimal digits."""
    return secrets.token_hex(12)


class Base(DeclarativeBase):
    """Root of the tables; constraints have stable names so that migrations can name them."""

    type_annotation_map = {dict[str, Any]: JSON, list[Any]: JSON, list[str]: JSON, float: Float}  # noqa: RUF012
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Dated:
    """A row that knows when it was made."""

    created_at: Mapped[float] = mapped_column(server_default=now(), insert_default=now())
