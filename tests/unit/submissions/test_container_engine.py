"""What is made of the engine's answers, and that the fake engine can stand in for the real one."""

import inspect
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from submissions.engine import Engine, EngineError, _blames_image, _time, memory_of
from submissions.fake_engine import FakeEngine
from submissions.sweep import sweep


def test_the_fake_engine_replaces_everything_that_would_reach_a_real_one() -> None:
    public = {
        name
        for name, member in inspect.getmembers(Engine, inspect.isfunction)
        if not name.startswith("_") and name not in ("labels", "container_name")
    }

    assert public - set(vars(FakeEngine)) == set()


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-22T03:09:38.811414481Z", datetime(2026, 11, 22, 3, 9, 38, 811414, tzinfo=UTC)),
        ("2026-11-22T03:09:38Z", datetime(2026, 11, 22, 3, 9, 38, tzinfo=UTC)),
        ("2026-11-22T05:09:38.5+02:00", datetime(2026, 11, 22, 3, 9, 38, 500000, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", None),
        ("", None),
        ("yesterday", None),
    ],
)
def test_times_are_read_as_go_writes_them(text: str, moment: datetime | None) -> None:
    assert _time(text) == moment


def test_memory_is_the_peak_without_the_cache_of_files() -> None:
    first = {"usage": 100, "max_usage": 500, "stats": {"total_inactive_file": 50, "total_active_file": 30}}
    second = {"usage": 300, "stats": {"inactive_file": 50, "active_file": 30}}

    assert memory_of(first) == 420
    assert memory_of(second) == 220
    assert memory_of({}) == 0


@pytest.mark.parametrize(
    ("told", "image"),
    [
        ("OCI runtime create failed: container_linux.go: mounting: not a directory: unknown", True),
        ("extraction point is not a directory", True),
        ("error while mounting volume '/var/lib/x': failed to mount local volume: not a directory", False),
        ("OCI runtime create failed: write: no space left on device", False),
        ("OCI runtime create failed: nvidia-container-cli: device error: unknown device", False),
        ("OCI runtime create failed: fork/exec: cannot allocate memory", False),
        ("server error", False),
    ],
)
def test_the_image_is_blamed_only_for_what_is_in_it(told: str, image: bool) -> None:
    assert _blames_image(told) is image


def test_a_sweep_removes_what_nothing_needs_and_leaves_the_rest(tmp_path: Path) -> None:
    engine = FakeEngine()
    for name in ("needed", "old"):
        engine.create(name, {"Labels": engine.labels(name)})
        engine.create_volume(name, {})
        engine.load(_archive(tmp_path / name))
    kept_image, old_image = engine.images()

    swept = sweep(engine, None, {"needed"}, {kept_image}, young=timedelta(0))

    assert swept.containers == swept.volumes == ["moodarena-fake-old"]
    assert swept.images == [old_image]
    assert swept.problems == []
    assert [state.name for state in engine.containers()] == ["moodarena-fake-needed"]
    assert [volume.name for volume in engine.volumes()] == ["moodarena-fake-needed"]


def test_a_sweep_leaves_what_is_young(tmp_path: Path) -> None:
    engine = FakeEngine()
    engine.create("new", {"Labels": engine.labels("new")})
    engine.create_volume("new", {})

    swept = sweep(engine, None, (), ())

    assert (swept.containers, swept.volumes) == ([], [])


def test_a_sweep_goes_on_after_what_it_cannot_remove(tmp_path: Path) -> None:
    class Stuck(FakeEngine):
        def remove(self, container_id: str) -> None:
            raise EngineError("device or resource busy")

    engine = Stuck()
    engine.create("old", {"Labels": engine.labels("old")})
    engine.create_volume("old", {})

    swept = sweep(engine, None, (), (), young=timedelta(0))

    assert swept.problems == ["device or resource busy"]
    assert swept.volumes == ["moodarena-fake-old"]


def _archive(path: Path) -> Path:
    path.write_bytes(b"archive")
    return path
