"""What a crash left goes, if it is ours, old and not needed."""

import os
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import select

from backend.db import now
from backend.models.upload import Upload
from backend.models.user import WebSession
from submissions.fake_engine import FakeEngine
from tests.unit.backend.world import World
from worker.bench import WORK
from worker.leases import Lease
from worker.masks import MASKS
from worker.sweep import Janitor

OLD = datetime.now(UTC) - timedelta(hours=1)


class AgedEngine(FakeEngine):
    """An engine whose containers and volumes are an hour old, but for those in `young`."""

    young: tuple[str, ...] = ()

    def containers(self):
        return [replace(s, created=OLD) if s.name not in self.young else s for s in super().containers()]

    def volumes(self):
        return [replace(v, created=OLD) if v.name not in self.young else v for v in super().volumes()]


def with_job(engine: FakeEngine, job: str) -> str:
    engine.create(job, {"Labels": engine.labels(job)})
    engine.create_volume(job, {})
    return engine.container_name(job)


def test_containers_and_volumes_of_running_jobs_and_young_ones_stay(world: World) -> None:
    world.challenge()
    user = world.person("anna")
    row = world.submission(world.team("blue", user), user, kind="counted", task="sample", state="test")
    run = world.run(row, "test", state="running", token=2)
    engine = AgedEngine()
    needed = with_job(engine, Lease(run.id, 2).job)
    old_token = with_job(engine, Lease(run.id, 1).job)
    engine.young = (with_job(engine, "run-99-1"),)
    Janitor(world.platform, engine).sweep()
    assert {state.name for state in engine.containers()} == {needed, *engine.young}
    assert {volume.name for volume in engine.volumes()} == {needed, *engine.young}
    assert old_token not in {state.name for state in engine.containers()}


def test_images_of_active_submissions_stay_and_others_go(world: World, tmp_path: Path) -> None:
    world.challenge()
    user = world.person("anna")
    team = world.team("blue", user)
    engine = FakeEngine()
    archive = tmp_path / "archive"
    archive.write_bytes(b"x")
    active, over = engine.load(archive), engine.load(archive)
    world.submission(team, user, state="test", image_id=active)
    world.submission(team, user, state="ranked", image_id=over)
    Janitor(world.platform, engine).sweep()
    assert engine.images() == [active]


def test_work_folders_of_runs_that_nobody_works_on_go_when_they_are_old(world: World) -> None:
    world.challenge()
    user = world.person("anna")
    row = world.submission(world.team("blue", user), user, state="test")
    run = world.run(row, "test", state="running", token=1)
    work = world.platform.storage.scratch(WORK)
    for name in (f"run-{run.id}-1.input", "run-77-1.input", "run-77-2.kept", "run-78-1.input"):
        (work / name).mkdir()
        (work / name / "case.nii.gz").write_bytes(b"x")
    for name in ("run-77-1.tar", ".run-77-1.tar.123.partial", "notes.txt"):
        (work / name).write_bytes(b"x")
    (work / MASKS).mkdir()
    (work / MASKS / "kept").write_bytes(b"x")
    for path in work.iterdir():
        if path.name != "run-78-1.input":
            os.utime(path, (time.time() - 3600,) * 2)
    Janitor(world.platform, FakeEngine()).sweep()
    assert {path.name for path in work.iterdir()} == {
        f"run-{run.id}-1.input", "run-78-1.input", "notes.txt", MASKS,
    }  # fmt: skip
    assert (work / MASKS / "kept").exists()


def test_expired_uploads_and_web_sessions_go(world: World) -> None:
    world.challenge()
    user = world.person("anna")
    moments = {"old": now() - 10, "new": now() + 1000}
    uploads = world.platform.storage.scratch("uploads")
    for name, moment in moments.items():
        world.add(
            Upload(
                id=name, user_id=user.id, challenge_id="demo", file_name="a", size=1, sha256="0" * 64,
                expires_at=moment,
            ),
            WebSession(token_hash=name, user_id=user.id, csrf="x", expires_at=moment),
        )  # fmt: skip
        (uploads / name).write_bytes(b"x")
    Janitor(world.platform, FakeEngine()).sweep()
    assert [path.name for path in uploads.iterdir()] == ["new"]
    with world.read() as session:
        assert session.scalars(select(WebSession.token_hash)).all() == ["new"]


def test_a_sweep_that_fails_is_tried_again(world: World) -> None:
    settings = world.platform.settings.model_copy(update={"sweep_seconds": 0.02})
    sweeps = []

    class Broken(FakeEngine):
        def containers(self):
            sweeps.append(1)
            raise OSError("the engine is away")

    janitor = Janitor(replace(world.platform, settings=settings), Broken())
    janitor.start()
    deadline = time.monotonic() + 20
    while len(sweeps) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    janitor.stop()
    assert len(sweeps) >= 2
