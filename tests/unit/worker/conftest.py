"""Fixtures of the tests of the worker: a platform on either database, and a bench with a fake engine."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from argon2 import PasswordHasher

from backend.accounts import passwords
from submissions.fake_engine import FakeEngine, FakeOutput
from tests.unit.backend.world import World
from worker.bench import Bench
from worker.blobs import Blobs

SLOT = "node/test-cpu-0"
BenchOf = Callable[..., Bench]
GPU = "GPU-1a2b3c4d-0000-1111-2222-333344445555"


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "_hasher", hasher)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A platform on SQLite."""
    with World.open(tmp_path / "platform") as world:
        yield world


@pytest.fixture(params=["sqlite", "postgresql"])
def any_world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """A platform on SQLite, and one on PostgreSQL."""
    url = "" if request.param == "sqlite" else request.getfixturevalue("fresh_postgres_url")
    with World.open(tmp_path / "platform", database_url=url) as world:
        yield world


@pytest.fixture
def bench_of() -> BenchOf:
    """Makes a bench of a world, a fake engine and a GPU's UUID, whose output folders are plain folders."""

    def make(world: World, engine: FakeEngine, gpu: str | None = None) -> Bench:
        return Bench(
            platform=world.platform,
            engine=engine,
            blobs=Blobs(world.platform.settings, world.platform.storage),
            slot=SLOT,
            gpu=gpu,
            rng=np.random.default_rng(0),
            stopping=lambda: False,
            output=lambda engine, job, folder, announce: FakeOutput(engine, job, folder / "outputs"),
        )

    return make
