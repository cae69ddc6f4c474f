"""Results with their provenance: a crate that others' software reads, the same for the same state."""

import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from rocrate.rocrate import ROCrate
from sqlalchemy import select

from backend.errors import BadInput, NotFound
from backend.main import create_app
from backend.models.audit import AuditEntry
from backend.models.challenge import Challenge
from backend.models.user import User
from backend.results import crate, reveal
from tests.unit.backend.browsing import visitor
from tests.unit.backend.world import NOON, SECRETS, World

HIDDEN = tuple(word for word in SECRETS if word != "sphere")  # the YAML, which organizers have, names kinds

FIGURE = 0.87654321098765432


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def world(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[World]:
    url = request.getfixturevalue("fresh_postgres_url") if request.param == "postgres" else ""
    with World.open(tmp_path, database_url=url) as world:
        world.challenge()
        yield world


@pytest.fixture
def boss(world: World) -> User:
    ada = world.person("ada")
    alpha = world.team("=Alpha()", ada)
    row = world.ranked(alpha, ada, "sample", {"brain": FIGURE, "abdom": None})
    world.set(row, image_id="sha256:abc")
    world.hidden_shard(row, 0)
    return world.person("boss", "organizer")


def files(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def made(world: World, who: str = "boss", moment: float = NOON) -> bytes:
    with world.read() as session:
        return crate.crate_of(session, session.get_one(Challenge, "demo"), who, moment).content


def graph(found: dict[str, bytes]) -> dict[str, Any]:
    return {item["@id"]: item for item in json.loads(found[crate.METADATA])["@graph"]}


def test_a_library_of_others_reads_the_crate(world: World, boss: User, tmp_path: Path) -> None:
    path = tmp_path / "crate.zip"
    path.write_bytes(made(world))
    found = ROCrate(path)
    assert found.name == "Results of moodarena demo"
    assert found.version == "1.1"
    paths = {str(item["@id"]) for item in found.get_by_type("File")}
    assert paths == set(files(path.read_bytes())) - {crate.METADATA}
    [deed] = found.get_by_type("CreateAction")
    assert (deed["agent"]["name"], deed["instrument"]["name"]) == ("boss", "moodarena")
    assert found.root_dataset["license"]["name"]
    found.write(tmp_path / "again")
    assert (tmp_path / "again" / "boards" / "sample.csv").is_file()


def test_every_file_has_its_size_and_digest(world: World, boss: User) -> None:
    found = files(made(world))
    told = graph(found)
    sums = dict(reversed(line.split("  ")) for line in found["SHA256SUMS"].decode().splitlines())
    for path, content in found.items():
        if path == crate.METADATA:
            continue
        digest = hashlib.sha256(content).hexdigest()
        assert (told[path]["sha256"], told[path]["contentSize"]) == (digest, str(len(content)))
        assert path == "SHA256SUMS" or sums[path] == digest


def test_the_same_state_gives_the_same_files_but_for_date_and_person(world: World, boss: User) -> None:
    assert made(world) == made(world)
    crate.export(world.platform.database, "demo", boss)  # that is in the log, and in no export
    now, later = files(made(world)), files(made(world, "olga", NOON + 86400))
    assert {path for path in now if now[path] != later[path]} == {crate.METADATA}


def test_figures_have_full_precision_and_names_do_no_harm_in_a_spreadsheet(world: World, boss: User) -> None:
    found = files(made(world))
    rows = list(csv.DictReader(io.StringIO(found["scores.csv"].decode())))
    assert [(row["dataset"], row["average_precision"]) for row in rows] == [
        ("brain", repr(FIGURE)),
        ("abdom", ""),
    ]
    assert {row["team"] for row in rows} == {"'=Alpha()"}
    [row] = csv.DictReader(io.StringIO(found["boards/sample.csv"].decode()))
    assert (row["team"], row["ap_brain"]) == ("'=Alpha()", repr(FIGURE))
    [submission] = json.loads(found["submissions.json"])
    assert (submission["image_id"], submission["state"]) == ("sha256:abc", "ranked")
    [brain, _] = json.loads(found["datasets.json"])
    assert (brain["cases"]["test"], len(brain["manifest_sha256"])) == (4, 64)


def test_no_hidden_case_is_named(world: World, boss: User) -> None:
    for path, content in files(made(world)).items():
        assert [word for word in HIDDEN if word.encode() in content] == [], path


def test_a_frozen_board_and_what_was_changed_are_in_it(world: World, boss: User) -> None:
    with world.write() as session:
        reveal.carry_out(session, "demo", "freeze", boss, "the end")
    found = files(made(world))
    [frozen] = json.loads(found["frozen-boards.json"])
    assert (frozen["scoring_version"], list(frozen["entries"])) == (1, ["pixel", "sample"])
    assert [entry["action"] for entry in json.loads(found["audit-log.json"])] == ["board.freeze"]
    assert json.loads(found["boards/sample.json"])["frozen_since"]
    assert json.loads(found["boards/sample-live.json"])["frozen_since"] is None


def test_an_export_is_in_the_audit_log(world: World, boss: User) -> None:
    done = crate.export(world.platform.database, "demo", boss, "for the paper")
    with world.read() as session:
        [entry] = session.scalars(select(AuditEntry))
    assert (entry.actor, entry.action, entry.reason) == ("boss", "results.export", "for the paper")
    assert entry.details == {"sha256": done.sha256, "size": len(done.content)}
    with pytest.raises(NotFound):
        crate.export(world.platform.database, "absent", boss)
    with pytest.raises(BadInput):
        crate.export(world.platform.database, "demo", boss, "x" * 2000)


def test_organizers_take_it_in_a_browser_or_by_a_program_and_nobody_else_does(
    world: World, boss: User
) -> None:
    with TestClient(create_app(world.platform)) as client:
        organizer, ada = visitor(client).sign_in("boss"), visitor(client).sign_in("ada")
        page = organizer.get("/organize/demo/export")
        assert "Nobody exported the results yet." in page
        answer = organizer.post("/organize/demo/export", "/organize/demo/export", reason="for the paper")
        assert answer.headers["content-type"] == "application/zip"
        assert crate.METADATA in files(answer.content)
        assert "for the paper" in organizer.get("/organize/demo/export")
        api = "/api/v1/challenges/demo/export"
        answer = client.post(api, headers=world.token(boss), json={})
        assert crate.METADATA in files(answer.content)
        ada.get("/organize/demo/export", 403)
        assert ada.post("/account", "/organize/demo/export").status_code == 403
        assert client.post(api, json={}).status_code == 401
