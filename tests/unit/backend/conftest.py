"""Fixtures of the tests of the backend: a platform on SQLite, and the application on it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from fastapi.testclient import TestClient

from backend.accounts import passwords
from backend.main import create_app
from backend.models.submission import Submission
from backend.models.user import User
from tests.unit.backend.world import World


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Argon2 with the least work, so that tests of hundreds of log-ins take no minutes."""
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "_hasher", hasher)
    monkeypatch.setattr(passwords, "_unknown", hasher.hash("nobody's password"))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World.open(tmp_path / "platform") as world:
        yield world


@pytest.fixture
def client(world: World) -> Iterator[TestClient]:
    with TestClient(create_app(world.platform)) as client:
        yield client


@pytest.fixture
def ada(world: World) -> User:
    """Somebody who may take part in the challenge that is there."""
    world.challenge()
    return world.person("ada")


@pytest.fixture
def toy(world: World, ada: User) -> Submission:
    """A toy submission of hers with results of two tasks and datasets."""
    submission = world.submission(world.team("Alpha", ada), ada)
    world.toy_results(submission)
    world.toy_results(submission, "sample", "abdom")
    return submission
