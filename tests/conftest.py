"""Fixtures of all tests. A thing that is missing fails the test and says what to type: nothing is skipped."""

import fcntl
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import docker
import pytest
from docker.errors import DockerException

from tests.services import MissingProgram, PostgresServer, RedisServer, Server, chromium

ROOT = Path(__file__).parents[1]
BASE_IMAGE = "moodarena/python:3.11"
S = TypeVar("S", bound=Server)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One PostgreSQL per test process."""
    yield from _running(PostgresServer())


@pytest.fixture(scope="session")
def postgres_url(postgres_server: PostgresServer) -> str:
    """URL of a database that all tests of this process share."""
    return postgres_server.new_database()


@pytest.fixture
def fresh_postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """URL of an empty database of this test's own."""
    url = postgres_server.new_database()
    yield url
    postgres_server.drop_database(url)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """One Redis per test process."""
    yield from _running(RedisServer())


@pytest.fixture(scope="session")
def redis_url(redis_server: RedisServer) -> str:
    """URL of the Redis that all tests of this process share."""
    return redis_server.url


@pytest.fixture
def fresh_redis_url(redis_server: RedisServer) -> Iterator[str]:
    """URL of a Redis that holds nothing yet."""
    redis_server.flush()
    yield redis_server.url
    redis_server.flush()


@pytest.fixture(scope="session")
def engine() -> Iterator[docker.DockerClient]:
    """The container engine's client."""
    try:
        client = docker.from_env(timeout=120)
        client.ping()
    except DockerException as error:
        pytest.fail(f"no container engine answers; `eval $(sh setup/engine.sh)` starts one ({error})", False)
    yield client
    client.close()


@pytest.fixture(scope="session")
def base_image(engine: docker.DockerClient) -> str:
    """Tag of the Python image that images of tests stand on, built when it is not there yet."""
    with (Path(tempfile.gettempdir()) / "moodarena-base-image.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not engine.images.list(BASE_IMAGE):
            subprocess.run(["sh", str(ROOT / "setup/base_image.sh")], check=True, stdin=subprocess.DEVNULL)
    return BASE_IMAGE


@pytest.fixture(scope="session")
def browser_path() -> str | None:
    """The browser to hand to playwright as `executable_path`; None for playwright's own."""
    return chromium()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give a test the marker of every server that it uses."""
    markers = {"engine": "engine", "postgres_server": "postgres", "redis_server": "redis"}
    for item in items:
        for fixture, marker in markers.items():
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(marker)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A skipped test is a failure here."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and reporter.stats.get("skipped") and session.exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _running(server: S) -> Iterator[S]:
    try:
        with server:
            yield server
    except MissingProgram as error:
        pytest.fail(str(error), pytrace=False)
