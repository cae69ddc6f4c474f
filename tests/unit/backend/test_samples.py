import json
import time
from contextlib import closing
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from backend import cli
from backend.accounts.service import by_name
from backend.commands import console
from backend.config import Settings
from backend.errors import BadInput, NotFound
from backend.intake import samples
from backend.models.audit import AuditEntry
from backend.models.challenge import Challenge
from backend.models.submission import Submission
from backend.models.user import User
from backend.platform import Platform
from tests.archives import Image, save, tar
from tests.unit.backend.world import World

SCRIPTS = [
    f"workspace/run_{task}_{dataset}.sh" for task in ("sample", "pixel") for dataset in ("brain", "abdom")
]
SAMPLE = "/api/v1/challenges/demo/sample"


def archive(folder: Path, *scripts: str) -> Path:
    layer = tar(*((script, b"#!/bin/sh\n") for script in scripts))
    return save(folder / f"{len(scripts)}.tar.gz", Image(layers=[layer]).docker(), compress=True)


@pytest.fixture
def offered(world: World, tmp_path: Path, ada: User) -> Path:
    """The archive of the challenge's sample."""
    path = archive(tmp_path, *SCRIPTS)
    with world.write() as session:
        samples.register(
            session, world.platform.storage, "demo", path, "The kit's method", console.operator()
        )
    return path


def test_a_sample_is_handed_in_as_a_toy_without_an_upload(
    client: TestClient, world: World, ada: User, offered: Path
) -> None:
    world.team("Alpha", ada)
    headers = world.token(ada)
    told = client.get(SAMPLE, headers=headers).json()
    assert (told["title"], told["size"]) == ("The kit's method", offered.stat().st_size)
    made = client.post(f"{SAMPLE}/submissions", headers=headers)
    assert made.status_code == 201
    view = made.json()
    assert (view["kind"], view["task"], view["state"], view["queue_position"]) == ("toy", None, "verify", 1)
    assert view["transitions"][0]["cause"] == "submitted, the working sample"
    with world.read() as session:
        row = session.query(Submission).one()
        assert (row.archive_sha256, row.user_id) == (told["sha256"], ada.id)
        assert world.platform.storage.has(row.archive_sha256)


def test_its_archive_is_handed_out_to_those_who_are_signed_in(
    client: TestClient, world: World, ada: User, offered: Path
) -> None:
    assert client.get(f"{SAMPLE}/archive").status_code == 401
    answer = client.get(f"{SAMPLE}/archive", headers=world.token(ada))
    assert answer.content == offered.read_bytes()
    assert 'filename="demo-sample.tar.gz"' in answer.headers["content-disposition"]


def test_a_sample_counts_for_the_hourly_rate_and_needs_a_team(
    client: TestClient, world: World, ada: User, offered: Path
) -> None:
    headers = world.token(ada)
    assert client.post(f"{SAMPLE}/submissions", headers=headers).json()["error"]["code"] == "no_team"
    team = world.team("Alpha", ada)
    with world.read() as session:
        allowed = session.get_one(Challenge, "demo").spec.toy.per_team_and_hour
    for _ in range(allowed - 1):
        world.submission(team, ada, created_at=time.time())
    codes = [client.post(f"{SAMPLE}/submissions", headers=headers).status_code for _ in range(2)]
    assert codes == [201, 429]


def test_without_a_sample_there_is_none(client: TestClient, world: World, ada: User) -> None:
    headers = world.token(ada)
    for answer in (
        client.get(SAMPLE, headers=headers),
        client.post(f"{SAMPLE}/submissions", headers=headers),
    ):
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "no_sample")


def test_a_new_sample_takes_the_place_of_the_old_one_and_both_deeds_are_written_down(
    world: World, tmp_path: Path, offered: Path
) -> None:
    newer = archive(tmp_path, *SCRIPTS, "workspace/more")
    with world.write() as session:
        samples.register(session, world.platform.storage, "demo", newer, "Newer", console.operator())
    with world.read() as session:
        assert samples.require(session, "demo").title == "Newer"
        deeds = [(entry.action, entry.details["title"]) for entry in session.query(AuditEntry)]
    assert deeds == [("sample.set", "The kit's method"), ("sample.set", "Newer")]


def test_what_the_platform_would_refuse_is_no_sample(world: World, tmp_path: Path, ada: User) -> None:
    broken = tmp_path / "broken.tar"
    broken.write_bytes(b"no tar")
    wrong = [
        (broken, "Title", "sample_refused"),
        (archive(tmp_path, *SCRIPTS[:2]), "Title", "sample_incomplete"),
    ]
    wrong.append((archive(tmp_path, *SCRIPTS), " ", "title"))
    for path, title, code in wrong:
        with world.write() as session, pytest.raises(BadInput) as refused:
            samples.register(session, world.platform.storage, "demo", path, title, by_name(session, "ada"))
        assert refused.value.code == code


def test_an_operator_gives_the_sample_of_a_challenge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOODARENA_DATA", str(tmp_path / "operated"))
    console_of = CliRunner()
    assert console_of.invoke(cli.app, ["init"]).exit_code == 0
    command = [
        "challenge",
        "sample",
        "demo",
        str(archive(tmp_path, *SCRIPTS)),
        "--title",
        "The kit",
        "--json",
    ]
    absent = console_of.invoke(cli.app, command)
    assert isinstance(absent.exception, NotFound)
    with closing(Platform.open(Settings(data=tmp_path / "operated"))) as platform:
        World(platform).challenge()
        told = json.loads(console_of.invoke(cli.app, command).stdout)
        assert told["title"] == "The kit"
        assert platform.storage.has(told["sha256"])
