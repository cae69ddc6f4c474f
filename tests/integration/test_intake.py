"""What holds when many do the same at once, on both databases, and uploads whose server is killed."""

import hashlib
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from backend.accounts import teams
from backend.config import Settings
from backend.db import Database
from backend.errors import MoodarenaError
from backend.intake import service, uploads
from backend.migrate import current_revision, newest_revision, upgrade
from backend.models.base import Base
from backend.models.submission import Submission
from backend.models.team import Membership
from backend.models.upload import Upload
from backend.models.user import User
from backend.platform import Platform
from submissions.client import Client
from tests.unit.backend.world import World

ROOT = Path(__file__).parents[2]
CONTENT = b"an archive"
DIGEST = hashlib.sha256(CONTENT).hexdigest()
AT_ONCE = 20


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    url = "" if request.param == "sqlite" else str(request.getfixturevalue("fresh_postgres_url"))
    platform = Platform.open(Settings(data=tmp_path / "platform", database_url=url))
    upgrade(platform.settings.database)
    with World(platform) as world:
        world.challenge(per_team_and_task="10", per_team_and_hour="7", max_members="3")
        yield world


def complete_upload(world: World, user: User) -> str:
    upload = Upload(
        user_id=user.id,
        challenge_id="demo",
        file_name="image.tar",
        size=len(CONTENT),
        offset=len(CONTENT),
        sha256=DIGEST,
        state="complete",
        expires_at=1e12,
    )
    world.add(upload)
    uploads.path_of(world.platform.storage, upload.id).write_bytes(CONTENT)
    return upload.id


def together(do: Callable[[int], Any], times: int = AT_ONCE) -> list[str]:
    """Let as many threads begin at the same moment; what became of each: `done` or an error's code."""
    start = threading.Barrier(times)

    def one(number: int) -> str:
        start.wait()
        try:
            do(number)
        except MoodarenaError as error:
            return error.code
        return "done"

    with ThreadPoolExecutor(times) as pool:
        return sorted(pool.map(one, range(times)))


def submitter(world: World, user: User, kind: str, upload: str | None = None) -> Callable[[int], None]:
    ready = [upload or complete_upload(world, user) for _ in range(AT_ONCE)]

    def submit(number: int) -> None:
        with world.write() as session:
            task = "pixel" if kind == "counted" else None
            storage = world.platform.storage
            service.submit(session, storage, user, "demo", ready[number], kind, task, "")

    return submit


def test_of_twenty_counted_submissions_at_once_the_quota_of_ten_is_taken(world: World) -> None:
    ada = world.person("ada")
    world.team("Alpha", ada)
    ended = together(submitter(world, ada, "counted"))
    assert ended == ["done"] * 10 + ["quota_exceeded"] * 10
    with world.read() as session:
        assert session.query(Submission).count() == 10
        assert session.query(Upload).filter_by(state="complete").count() == 10


def test_of_twenty_toy_submissions_at_once_the_rate_of_seven_is_taken(world: World) -> None:
    ada = world.person("ada")
    world.team("Alpha", ada)
    assert together(submitter(world, ada, "toy")) == ["done"] * 7 + ["too_many_toy"] * 13


def test_one_upload_submitted_twenty_times_at_once_becomes_one_submission(world: World) -> None:
    ada = world.person("ada")
    world.team("Alpha", ada)
    upload = complete_upload(world, ada)
    ended = together(submitter(world, ada, "counted", upload))
    assert ended == ["done"] + ["upload_not_complete"] * 19


def test_a_person_who_founds_teams_at_once_has_one(world: World) -> None:
    ada = world.person("ada")

    def found(number: int) -> None:
        with world.write() as session:
            teams.create(session, "demo", ada, f"Team {number}")

    ended = together(found, 6)
    assert ended.count("done") == 1
    assert set(ended) <= {"done", "has_team", "team_taken"}
    with world.read() as session:
        assert session.query(Membership).count() == 1


def test_a_team_of_three_stays_one_when_eight_join_at_once(world: World) -> None:
    ada = world.person("ada")
    world.team("Alpha", ada)
    guests = [world.person(f"guest{number}") for number in range(8)]
    with world.write() as session:
        invitations = [teams.invite(session, "demo", ada)[0] for _ in guests]

    def join(number: int) -> None:
        with world.write() as session:
            teams.join(session, "demo", guests[number], invitations[number])

    assert together(join, 8) == ["done"] * 2 + ["team_full"] * 6


def test_an_invitation_used_by_eight_at_once_admits_one(world: World) -> None:
    ada = world.person("ada")
    world.team("Alpha", ada)
    guests = [world.person(f"guest{number}") for number in range(8)]
    with world.write() as session:
        invitation, _ = teams.invite(session, "demo", ada)

    def join(number: int) -> None:
        with world.write() as session:
            teams.join(session, "demo", guests[number], invitation)

    ended = together(join, 8)
    assert ended.count("done") == 1
    with world.read() as session:
        assert session.query(Membership).count() == 2


def test_uploads_begun_at_once_are_three(world: World) -> None:
    ada = world.person("ada")
    world.team("Alpha", ada)

    def begin(number: int) -> None:
        with world.write() as session:
            uploads.create(session, world.platform, ada, "demo", "a.tar", 10, f"{number:064d}")

    assert together(begin, 8) == ["done"] * 3 + ["too_many_uploads"] * 5


@pytest.mark.parametrize("server", ["sqlite", "postgresql"])
def test_processes_that_migrate_at_once_make_the_tables_of_the_models(
    request: pytest.FixtureRequest, tmp_path: Path, server: str
) -> None:
    sqlite = f"sqlite:///{tmp_path}/test.db"
    url = sqlite if server == "sqlite" else str(request.getfixturevalue("fresh_postgres_url"))
    with get_context("spawn").Pool(3) as pool:
        pool.map(upgrade, [url] * 3)
    database = Database(url)
    assert current_revision(database) == newest_revision()
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    database.close()


class Server:
    """`python -m backend serve` as a process that can be killed and started again at the same address."""

    def __init__(self, platform: Platform, log: Path) -> None:
        self.platform, self.log = platform, log
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        settings = self.platform.settings
        environment = {
            "MOODARENA_DATA": str(settings.data),
            "MOODARENA_DATABASE_URL": settings.database,
            "PATH": "/usr/bin:/bin",
        }
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "backend", "serve", "--port", str(self.port)],
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 60
        while not self._answers():
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.1)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()


@pytest.fixture
def server(world: World, tmp_path: Path) -> Iterator[Server]:
    server = Server(world.platform, tmp_path / "serve.log")
    server.start()
    yield server
    server.kill()


def test_an_upload_survives_a_server_that_is_killed_in_the_middle_of_its_requests(
    world: World, server: Server, tmp_path: Path
) -> None:
    ada = world.person("ada")
    world.team("Alpha", ada)
    token = world.token(ada)["Authorization"].removeprefix("Bearer ")
    archive = tmp_path / "image.tar"
    archive.write_bytes(secrets.token_bytes(48 << 20))
    rng = np.random.default_rng(2)
    kills = sorted(rng.choice(np.arange(1 << 20, 47 << 20), 3, replace=False).tolist())
    sent = 0
    lost: list[int] = []

    def progress(count: int) -> None:
        nonlocal sent
        sent += count
        if count < 0:
            lost.append(-count)
        if kills and sent >= kills[0]:
            kills.pop(0)
            server.kill()
            server.start()

    with Client(server.url, token) as client:
        done = client.upload("demo", archive, progress)
        assert client.upload_state(done.id).state == "complete"
    assert not kills
    assert len(lost) >= 2, "hardly a request was cut off"
    stored = uploads.path_of(world.platform.storage, done.id).read_bytes()
    assert hashlib.sha256(stored).hexdigest() == hashlib.sha256(archive.read_bytes()).hexdigest()


def test_what_came_before_the_line_broke_need_not_be_sent_again(world: World, server: Server) -> None:
    ada = world.person("ada")
    world.team("Alpha", ada)
    headers = world.token(ada)
    content = secrets.token_bytes(4 << 20)
    with Client(server.url, headers["Authorization"].removeprefix("Bearer ")) as client:
        upload = client.start_upload("demo", "image.tar", len(content), hashlib.sha256(content).hexdigest())
        with socket.create_connection(("127.0.0.1", server.port)) as line:
            head = (
                f"PATCH /api/v1/uploads/{upload.id} HTTP/1.1\r\nHost: localhost\r\nUpload-Offset: 0\r\n"
                f"Authorization: {headers['Authorization']}\r\nContent-Type: application/octet-stream\r\n"
                f"Content-Length: {len(content)}\r\n\r\n"
            )
            line.sendall(head.encode() + content[: 3 << 20])
            time.sleep(1)
        deadline = time.monotonic() + 20
        while (offset := client.upload_state(upload.id).offset) == 0:
            assert time.monotonic() < deadline, server.log.read_text()
            time.sleep(0.1)
        assert offset == 3 << 20
