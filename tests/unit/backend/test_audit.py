"""The audit log: nobody changes it, and everything that organizers do is in it."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, text
from sqlalchemy.exc import DatabaseError

from backend.accounts import teams
from backend.audit import service as audit
from backend.db import Database
from backend.errors import BadInput
from backend.migrate import upgrade
from backend.models.audit import AuditEntry
from backend.models.user import User
from tests.unit.backend.test_cli import Run, printed, ready, run
from tests.unit.backend.world import World

__all__ = ["ready", "run"]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Database]:
    """A database as the migrations make it."""
    postgres = request.param == "postgres"
    url = request.getfixturevalue("fresh_postgres_url") if postgres else f"sqlite:///{tmp_path}/test.db"
    upgrade(url)
    database = Database(url)
    yield database
    database.close()


@pytest.mark.parametrize(
    "deed",
    [
        "UPDATE audit_entry SET reason = 'another'",
        "UPDATE audit_entry SET actor = 'somebody else' WHERE id = 1",
        "DELETE FROM audit_entry",
        "DELETE FROM audit_entry WHERE id = 1",
    ],
)
def test_the_database_itself_refuses_to_change_or_delete_an_entry(database: Database, deed: str) -> None:
    with database.write() as session:
        audit.record(
            session, "boss", "submission.withdraw", "demo", "x1", "two images in one", counts_now=None
        )
    with pytest.raises(DatabaseError, match="append-only"), database.write() as session:
        session.execute(text(deed))
    with database.read() as session:
        entry = session.scalars(select(AuditEntry)).one()
        assert (entry.actor, entry.action, entry.subject) == ("boss", "submission.withdraw", "x1")
        assert (entry.reason, entry.details) == ("two images in one", {"counts_now": None})
        assert entry.created_at > 1e9


@pytest.mark.postgres
def test_postgresql_does_not_empty_the_log_either(fresh_postgres_url: str) -> None:
    upgrade(fresh_postgres_url)
    database = Database(fresh_postgres_url)
    with database.write() as session:
        audit.record(session, "boss", "board.freeze", "demo")
    with pytest.raises(DatabaseError, match="append-only"), database.write() as session:
        session.execute(text("TRUNCATE audit_entry"))
    database.close()


def test_an_entry_is_there_if_and_only_if_the_change_is(world: World, ada: User) -> None:
    team = world.team("Alpha", ada)
    world.set(team, approved_at=None)
    with suppress(ZeroDivisionError), world.write() as session:
        teams.approve(session, "demo", team.id, "boss")
        raise ZeroDivisionError
    assert told(world) == []
    with world.write() as session:
        teams.approve(session, "demo", team.id, "boss", "known to us")
        teams.approve(session, "demo", team.id, "boss", "again")
    assert told(world) == [("boss", "team.approve", "known to us")]


@pytest.mark.parametrize("reason", ["x" * 1001, "a\0b", "\x1b[2J"])
def test_a_reason_is_a_sentence(world: World, reason: str) -> None:
    with pytest.raises(BadInput, match="1000 printable"), world.write() as session:
        audit.record(session, "boss", "board.freeze", "demo", reason=reason)


@pytest.mark.parametrize("reason", ["", " \n "])
def test_a_deed_that_needs_a_reason_has_one(reason: str) -> None:
    with pytest.raises(BadInput, match="Say why"):
        audit.demand(reason)


def told(world: World) -> list[tuple[str, str, str]]:
    with world.read() as session:
        return [
            (e.actor, e.action, e.reason) for e in session.scalars(select(AuditEntry).order_by(AuditEntry.id))
        ]


def test_what_is_typed_at_the_console_is_in_the_log_with_who_and_why(run: Run, ready: World) -> None:
    ready.challenge()
    ada = ready.person("ada")
    team = ready.team("Alpha", ada)
    ready.set(team, approved_at=None)
    row = ready.submission(team, ada)
    why = ["--reason", "asked by mail", "--by", "otto"]
    printed(run("user", "role", "ada", "organizer", "--json", *why))
    printed(run("user", "deactivate", "ada", "--json"))
    printed(run("teams", "baseline", "demo", team.id, "--json", *why))
    printed(run("submissions", "cancel", row.id, "--json", *why))
    printed(run("scoring", "new", "demo", "--missing", "zero", "--reason", "as before", "--json"))
    printed(run("scoring", "use", "demo", "2", "--json", *why))
    actors = [actor for actor, _, _ in told(ready)]
    assert [(action, reason) for _, action, reason in told(ready)] == [
        ("user.role", "asked by mail"),
        ("user.deactivate", ""),
        ("team.approve", "asked by mail"),
        ("team.baseline", "asked by mail"),
        ("submission.cancel", "asked by mail"),
        ("scoring.make", "as before"),
        ("scoring.use", "asked by mail"),
    ]
    assert actors[0] == "otto"
    assert actors[1].startswith("operator ")
    with ready.read() as session:
        details = {entry.action: entry.details for entry in session.scalars(select(AuditEntry))}
    assert details["user.role"] == {"before": "participant", "after": "organizer"}
    assert details["scoring.use"] == {"before": 1}
    log = printed(run("audit-log", "--action", "scoring", "--json"))
    assert [entry["action"] for entry in log["items"]] == ["scoring.use", "scoring.make"]
    assert "asked by mail" in run("audit-log", "--actor", "otto", "--challenge", "demo").stdout


# --- over HTTP ---


@pytest.fixture
def boss(world: World, ada: User) -> dict[str, str]:
    """An organizer's token, and three entries in the log."""
    with world.write() as session:
        audit.record(
            session, "olga", "submission.rerun", "demo", "s1", "disk was full", before={"state": "failed"}
        )
        audit.record(session, "otto", "team.approve", "demo", "t1", "=1+1")
        audit.record(session, "otto", "user.role", None, "ada", "helps us", before="participant")
    return world.token(world.person("boss", "organizer"))


def asked(client: TestClient, who: dict[str, str], query: str) -> Any:
    answer = client.get(f"/api/v1/audit{query}", headers=who)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["user.role", "team.approve", "submission.rerun"]),
        ("?actor=otto", ["user.role", "team.approve"]),
        ("?challenge=demo", ["team.approve", "submission.rerun"]),
        ("?action=submission", ["submission.rerun"]),
        ("?subject=t1", ["team.approve"]),
        ("?limit=1&page=2", ["team.approve"]),
        ("?page=9", []),
        ("?actor=o%25", []),
    ],
)
def test_the_log_is_filtered_and_paged(
    client: TestClient, boss: dict[str, str], query: str, found: list[str]
) -> None:
    sheet = asked(client, boss, query)
    assert [entry["action"] for entry in sheet["items"]] == found


def test_the_log_as_csv_has_the_same_rows_and_runs_in_no_spreadsheet(
    client: TestClient, boss: dict[str, str]
) -> None:
    answer = client.get("/api/v1/audit?format=csv&challenge=demo", headers=boss)
    assert answer.headers["content-type"].startswith("text/csv")
    header, approval, rerun = answer.text.splitlines()
    assert header == "id,at,actor,action,challenge,subject,reason,details"
    assert ",otto,team.approve,demo,t1,'=1+1,{}" in approval
    assert '"{""before"": {""state"": ""failed""}}"' in rerun


def test_the_log_is_for_organizers(client: TestClient, boss: dict[str, str], world: World) -> None:
    assert client.get("/api/v1/audit", headers=world.token(world.person("eve"))).status_code == 403
    assert client.get("/api/v1/audit").status_code == 401


def test_a_team_is_approved_by_the_api_with_or_without_a_reason(
    client: TestClient, boss: dict[str, str], world: World
) -> None:
    for name, body in (("Alpha", {"json": {"reason": "known to us"}}), ("Beta", {})):
        team = world.team(name)
        world.set(team, approved_at=None)
        answer = client.post(f"/api/v1/challenges/demo/teams/{team.id}/approve", headers=boss, **body)
        assert answer.json()["approved"] is True
    assert told(world)[-2:] == [("boss", "team.approve", "known to us"), ("boss", "team.approve", "")]
