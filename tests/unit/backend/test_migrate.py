from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect

from backend.db import Database
from backend.migrate import current_revision, downgrade, newest_revision, upgrade
from backend.models.base import Base


def differences(database: Database) -> list[object]:
    """What the tables lack or have too much, compared with the models."""
    with database.engine.connect() as connection:
        return list(compare_metadata(MigrationContext.configure(connection), Base.metadata))


def test_the_migrations_make_exactly_the_tables_of_the_models(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/test.db"
    database = Database(url)
    assert current_revision(database) is None
    upgrade(url)
    assert current_revision(database) == newest_revision()
    assert differences(database) == []
    upgrade(url)
    downgrade(url, "base")
    assert inspect(database.engine).get_table_names() == ["alembic_version"]
    database.close()
