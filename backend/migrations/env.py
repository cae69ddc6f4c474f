"""Alembic's entry: where the tables are described, and how a migration is run."""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Connection

from backend.db import Database, now
from backend.models import audit, report, reveal, run, sample, score, standing, submission, team, upload, user
from backend.models.base import Base

TABLES = (
    user.User,
    team.Team,
    submission.Submission,
    run.Run,
    score.Score,
    standing.Standing,
    report.Report,
    upload.Upload,
    audit.AuditEntry,
    reveal.FrozenBoard,
    sample.WorkingSample,
)
ONE_AT_A_TIME = 7_300_001  # any number that nothing else on the server locks


def _render(kind: str, item: Any, autogen: AutogenContext) -> str | Literal[False]:
    # The default of created_at is written per database: keep our function, not the SQL of one of them.
    if kind == "server_default" and isinstance(getattr(item, "arg", None), now):
        autogen.imports.add("from backend.db import now")
        return "now()"
    return False


def _migrate(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({ONE_AT_A_TIME})")
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=True,
        render_item=_render,
    )
    context.run_migrations()


def _run() -> None:
    database = Database(context.config.attributes["url"])
    try:
        with database.engine.begin() as connection:
            _migrate(connection)
    finally:
        database.close()


_run()
