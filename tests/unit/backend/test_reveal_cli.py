"""The reveal, settings and the export at the console."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from typer.testing import CliRunner, Result

from backend import cli
from backend.config import Settings
from backend.models.audit import AuditEntry
from backend.models.challenge import Challenge
from backend.platform import Platform
from backend.results import crate
from tests.unit.backend.test_challenges import TEXT, write_datasets
from tests.unit.backend.world import World

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("MOODARENA_DATA", str(tmp_path / "platform"))
    return lambda *arguments: CliRunner().invoke(cli.app, arguments)


@pytest.fixture
def world(run: Run, tmp_path: Path) -> World:
    assert run("init").exit_code == 0
    world = World(Platform.open(Settings(data=tmp_path / "platform")))
    world.challenge(leaderboard="after_reveal")
    ada = world.person("ada")
    world.ranked(world.team("Alpha", ada), ada, "sample", {"brain": 0.9, "abdom": 0.8})
    return world


def printed(result: Result) -> Any:
    assert result.exit_code == 0, (result.output, result.exception)
    return json.loads(result.stdout)


def test_a_board_goes_all_the_way_and_back_at_the_console(run: Run, world: World) -> None:
    assert (
        "The board of demo is open, only organizers see it: 1 in sample"
        in run("board", "status", "demo").output
    )
    for deed, state, public in (
        ("freeze", "frozen", False),
        ("publish", "published", True),
        ("unpublish", "frozen", False),
        ("unfreeze", "open", False),
    ):
        told = printed(run("board", deed, "demo", "--reason", "so decided", "--json"))
        assert (told["state"], told["public"]) == (state, public)
    assert run("board", "publish", "demo", "--reason", "x").exit_code == 1
    with world.read() as session:
        actions = [entry.action for entry in session.scalars(select(AuditEntry).order_by(AuditEntry.id))]
    assert actions == ["board.freeze", "board.publish", "board.unpublish", "board.unfreeze"]


def test_a_setting_is_changed_and_taken_back_at_the_console(run: Run, world: World) -> None:
    change = ("challenge", "set", "demo", "teams.max_members")
    assert printed(run(*change, "3", "--reason", "small teams", "--json")) == [
        {"name": "teams.max_members", "before": 10, "after": 3}
    ]
    assert "That is so already." in run(*change, "3", "--reason", "again").output
    assert "3 before, 10 now" in run(*change, "--as-in-yaml", "--reason", "large ones").output
    assert run("challenge", "set", "demo", "limits.memory", "1", "--reason", "x").exit_code == 1


def test_a_newer_yaml_keeps_what_it_allows_and_says_what_it_drops(
    run: Run, world: World, tmp_path: Path
) -> None:
    write_datasets(tmp_path / "data", "v2")
    for name, value in (("title", "Another"), ("teams.max_members", "3")):
        assert run("challenge", "set", "demo", name, value, "--reason", "x").exit_code == 0
    newer = tmp_path / "newer.yaml"
    newer.write_text(TEXT.replace("  - title\n", ""))
    result = run("challenge", "add", str(newer), "--data", str(tmp_path / "data"))
    assert result.exit_code == 0, result.output
    assert "title was changed to 'Another', which this YAML does not allow" in result.output
    with world.read() as session:
        challenge = session.get_one(Challenge, "demo")
        assert (challenge.settings, challenge.title) == ({"teams.max_members": 3}, "moodarena demo")


def test_new_cases_do_not_empty_a_frozen_board(run: Run, world: World, tmp_path: Path) -> None:
    write_datasets(tmp_path / "data", "v2")
    (tmp_path / "same.yaml").write_text(TEXT)
    add = ("challenge", "add", str(tmp_path / "same.yaml"), "--data", str(tmp_path / "data"))
    assert run("board", "freeze", "demo", "--reason", "x").exit_code == 0
    assert "would empty it" in str(run(*add).exception)
    assert run("board", "unfreeze", "demo", "--reason", "x").exit_code == 0
    assert run(*add).exit_code == 0


def test_results_are_exported_at_the_console(run: Run, world: World, tmp_path: Path) -> None:
    out = tmp_path / "demo.zip"
    told = printed(run("export", "demo", "--out", str(out), "--reason", "for the paper", "--json"))
    assert (told["file"], told["size"]) == (str(out), out.stat().st_size)
    with zipfile.ZipFile(out) as archive:
        assert crate.METADATA in archive.namelist()
