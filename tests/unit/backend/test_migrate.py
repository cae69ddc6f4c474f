from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, select, text

from backend.db import Database
from backend.migrate import current_revision, downgrade, newest_revision, upgrade
from backend.models.base import Base
from backend.models.challenge import Challenge
from backend.models.score import CaseResult, Score
from backend.results import versions
from tests.unit.backend.world import NOON, ROOT

MOOD = (ROOT / "challenges" / "mood.yaml").read_text()
FIRST_ROWS = (
    "INSERT INTO challenge (id, title, spec_text, created_at) VALUES ('mood', 'Mood', :yaml, :noon)",
    "INSERT INTO user_account (id, name, email, password_hash, role, active) "
    "VALUES ('u', 'anna', 'anna@example.org', '', 'participant', true)",
    "INSERT INTO team (id, challenge_id, name, baseline) VALUES ('t', 'mood', 'blue', false)",
    "INSERT INTO submission (id, challenge_id, team_id, user_id, kind, task, title, state, archive_sha256, "
    "archive_size, image_volumes, scripts, warnings, failure_ours) "
    "VALUES ('s', 'mood', 't', 'u', 'counted', 'pixel', 'image', 'ranked', 'ab', 1, '[]', '[]', '[]', false)",
    "INSERT INTO run (id, submission_id, stage, task, dataset, dataset_version, shard, cases, lane, "
    "priority, state, attempt, token, cancel_requested) "
    "VALUES (7, 's', 'score', '', '', '', 0, '[]', 'toy', 0, 'done', 1, 1, false)",
    "INSERT INTO case_result (run_id, submission_id, stage, task, dataset, case_id, outcome, detail, "
    "statistic) VALUES (7, 's', 'test', 'pixel', 'brain', 'c0', 'scored', '', :bytes)",
    "INSERT INTO score (run_id, submission_id, stage, task, dataset, dataset_version, average_precision, "
    "outcomes, created_at) "
    "VALUES (7, 's', 'test', 'pixel', 'brain', 'v1', 0.1234567890123456, '{\"scored\": 1}', :noon)",
)
OLD_COLUMNS = (
    "id, run_id, submission_id, stage, task, dataset, dataset_version, average_precision, validation, "
    "undefined_because, CAST(outcomes AS TEXT), created_at"
)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Database]:
    postgres = request.param == "postgres"
    database = Database(
        request.getfixturevalue("fresh_postgres_url") if postgres else f"sqlite:///{tmp_path}/test.db"
    )
    yield database
    database.close()


def differences(database: Database) -> list[object]:
    """What the tables lack or have too much, compared with the models."""
    with database.engine.connect() as connection:
        return list(compare_metadata(MigrationContext.configure(connection), Base.metadata))


def old_scores(database: Database) -> list[object]:
    with database.read() as session:
        return list(session.execute(text(f"SELECT {OLD_COLUMNS} FROM score ORDER BY id")).all())


def test_the_migrations_make_exactly_the_tables_of_the_models(database: Database) -> None:
    url = database.url
    assert current_revision(database) is None
    upgrade(url)
    assert current_revision(database) == newest_revision()
    assert differences(database) == []
    upgrade(url)
    downgrade(url, "base")
    assert inspect(database.engine).get_table_names() == ["alembic_version"]


def fill(database: Database) -> None:
    """A database of the first revision with one scored submission."""
    upgrade(database.url, "0001")
    values = {"yaml": MOOD, "noon": NOON, "bytes": b"counts"}
    with database.write() as session:
        for row in FIRST_ROWS:
            session.execute(text(row), {name: values[name] for name in values if f":{name}" in row})


def test_scores_that_are_there_belong_to_a_first_scoring_version(database: Database) -> None:
    fill(database)
    before = old_scores(database)
    upgrade(database.url)
    assert old_scores(database) == before
    with database.read() as session:
        score, version = session.scalars(select(Score)).one(), versions.current(session, "mood")
        assert (version.number, version.created_by, version.arrangements) == (1, "registration", None)
        assert (version.created_at, version.current_since) == (NOON, NOON)
        assert version.policy == versions.policy_of(session.get_one(Challenge, "mood").spec)
        assert score.scoring_version == version
        assert session.scalars(select(CaseResult)).one().figures == {}
    assert differences(database) == []


def test_going_back_keeps_the_figures_of_the_public_version(database: Database) -> None:
    fill(database)
    upgrade(database.url)
    before = old_scores(database)
    with database.write() as session:
        first, old = versions.current(session, "mood"), session.scalars(select(Score)).one()
        copied = {name: getattr(first, name) for name in ("challenge_id", "policy", "created_by")}
        second = versions.add(session, type(first)(**copied, reason="another"))
        copied = {
            name: getattr(old, name)
            for name in ("run_id", "submission_id", "stage", "task", "dataset", "dataset_version")
        }
        session.add(Score(**copied, scoring_version_id=second.id, average_precision=0.5))
    downgrade(database.url, "0001")
    assert old_scores(database) == before
