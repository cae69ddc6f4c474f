"""One shard with a fake engine: what the engine is asked for, what is left, what is written down."""

import hashlib
import logging
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from backend.models.challenge import DatasetVersion
from backend.models.run import Run
from backend.models.score import CaseResult
from backend.models.submission import Submission
from submissions.fake_engine import Behaviour, FakeEngine
from tests.unit.backend.world import World
from tests.unit.worker.conftest import GPU, SLOT, BenchOf
from worker import evaluation, leases
from worker.leases import Lease


def in_test(world: World, engine: FakeEngine, **challenge: str) -> Run:
    """A submission with one waiting shard of all hidden brain cases, its image loaded."""
    world.challenge(**challenge)
    user = world.person("anna")
    archive = world.platform.storage.root / "archive"
    archive.write_bytes(b"x")
    row = world.submission(
        world.team("blue", user), user, kind="counted", task="sample", state="test",
        image_id=engine.load(archive), scripts=["/workspace/run_sample_brain.sh"],
    )  # fmt: skip
    cases = [{"id": f"hidden{n}brain", "name": f"{n}{n}ff.nii.gz"} for n in range(4)]
    return world.run(row, "test", task="sample", dataset="brain", cases=cases)


def claimed(world: World) -> Lease:
    with world.write() as session:
        lease = leases.claim(session, "test", SLOT, 100)
    assert lease is not None
    return lease


def predict(source: Path, output: Path) -> None:
    for case in source.iterdir():
        (output / f"{case.name}.txt").write_text("0.5")


def predict_two(source: Path, output: Path) -> None:
    for name in ("00ff", "11ff"):
        (output / f"{name}.nii.gz.txt").write_text("0.5")


def carried_out(world: World, bench_of: BenchOf, engine: FakeEngine, gpu: str | None = None) -> bool:
    return evaluation.run(bench_of(world, engine, gpu), claimed(world))


def run_of(world: World, run: Run) -> Run:
    with world.read() as session:
        return session.get_one(Run, run.id)


def submission_of(world: World, run: Run) -> Submission:
    with world.read() as session:
        return session.get_one(Submission, run.submission_id)


def outcomes(world: World) -> list[str]:
    with world.read() as session:
        return list(session.scalars(select(CaseResult.outcome).order_by(CaseResult.case_id)))


def test_a_gpu_slot_asks_for_exactly_its_gpu(world: World, bench_of: BenchOf) -> None:
    engine = FakeEngine([Behaviour(writes=predict)])
    in_test(world, engine, gpu="true")
    assert carried_out(world, bench_of, engine, GPU)
    host = engine.requests[0]["HostConfig"]
    assert [request["DeviceIDs"] for request in host["DeviceRequests"]] == [[GPU]]
    assert f"NVIDIA_VISIBLE_DEVICES={GPU}" in engine.requests[0]["Env"]


@pytest.mark.parametrize(("gpu", "wanted"), [(None, "true"), (GPU, "false")])
def test_without_a_gpu_or_the_need_of_one_none_is_visible(
    world: World, bench_of: BenchOf, gpu: str | None, wanted: str
) -> None:
    engine = FakeEngine([Behaviour(writes=predict)])
    in_test(world, engine, gpu=wanted)
    carried_out(world, bench_of, engine, gpu)
    assert not engine.requests[0]["HostConfig"]["DeviceRequests"]
    assert "NVIDIA_VISIBLE_DEVICES=void" in engine.requests[0]["Env"]


def test_a_container_says_whose_it_is_and_nothing_of_it_stays(world: World, bench_of: BenchOf) -> None:
    engine = FakeEngine([Behaviour(writes=predict, seconds=0.3, memory=77_000_000, log=b"secret case names")])
    run = in_test(world, engine)
    assert carried_out(world, bench_of, engine)
    labels = engine.requests[0]["Labels"]
    assert (labels["moodarena.run"], labels["moodarena.token"]) == (str(run.id), "1")
    assert labels["moodarena.slot"] == SLOT
    assert engine.containers() == []
    assert engine.volumes() == []
    assert not list(world.platform.storage.scratch("work").glob("run-*"))
    done = run_of(world, run)
    assert (done.state, done.peak_memory, done.log) == ("done", 77_000_000, None)
    assert done.wall_seconds is not None
    assert outcomes(world) == ["scored"] * 4


def test_hidden_input_is_read_only_files_of_one_time_and_size_that_are_no_links(
    world: World, bench_of: BenchOf
) -> None:
    seen = {}

    def look(source: Path, output: Path) -> None:
        seen.update({case.name: case.stat() for case in source.iterdir()})
        predict(source, output)

    engine = FakeEngine([Behaviour(writes=look)])
    in_test(world, engine)
    carried_out(world, bench_of, engine)
    assert sorted(seen) == ["00ff.nii.gz", "11ff.nii.gz", "22ff.nii.gz", "33ff.nii.gz"]
    assert {(stat.st_mode & 0o777, stat.st_mtime) for stat in seen.values()} == {(0o444, 0.0)}
    assert {stat.st_nlink for stat in seen.values()} == {1}
    assert len({stat.st_size for stat in seen.values()}) == 1
    mounts = engine.requests[0]["HostConfig"]["Mounts"]
    assert [mount["ReadOnly"] for mount in mounts if mount["Type"] == "bind"] == [True]


def test_a_crash_on_hidden_cases_fails_with_the_general_sentence_and_tells_the_operator_all(
    world: World, bench_of: BenchOf
) -> None:
    engine = FakeEngine([Behaviour(exit_code=3, writes=predict_two, log=b"22ff.nii.gz is odd\n")])
    run = in_test(world, engine)
    assert carried_out(world, bench_of, engine)
    ended = submission_of(world, run)
    assert (ended.state, ended.failure_code, ended.failure_ours) == ("failed", "crashed", False)
    assert ended.failure_message.startswith("The container ended with an error.")
    assert "22ff" not in str(ended.failure_message)
    for word in ("exit code 3", "22ff.nii.gz is odd"):
        assert word in str(ended.failure_detail)
        assert word in str(run_of(world, run).failure_detail)
    assert run_of(world, run).log is None


def test_a_crash_may_be_scored_where_the_challenge_says_so(world: World, bench_of: BenchOf) -> None:
    engine = FakeEngine([Behaviour(exit_code=3, writes=predict_two)])
    run = in_test(world, engine, on_incomplete="score")
    carried_out(world, bench_of, engine)
    assert run_of(world, run).state == "done"
    assert submission_of(world, run).state == "score"
    assert outcomes(world) == ["scored", "scored", "crashed", "crashed"]


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [
        (Behaviour(exit_code=3, writes=predict_two), "crashed"),
        (Behaviour(exit_code=137, out_of_memory=True), "out_of_memory"),
        (Behaviour(writes=predict_two), "missing_predictions"),
    ],
)
def test_where_missing_predictions_are_rejected_the_submission_fails(
    world: World, bench_of: BenchOf, behaviour: Behaviour, code: str
) -> None:
    engine = FakeEngine([behaviour])
    run = in_test(world, engine, on_incomplete="score", missing="reject")
    assert carried_out(world, bench_of, engine)
    ended = submission_of(world, run)
    assert (ended.state, ended.failure_code, ended.failure_ours) == ("failed", code, False)
    assert "ff.nii.gz" not in str(ended.failure_message)


def test_an_image_of_which_no_container_can_be_made_crashed(world: World, bench_of: BenchOf) -> None:
    engine = FakeEngine([Behaviour(refused="/mnt is not a directory")])
    run = in_test(world, engine)
    assert carried_out(world, bench_of, engine)
    assert submission_of(world, run).failure_code == "crashed"
    assert "/mnt is not a directory" in str(submission_of(world, run).failure_detail)


def test_a_blob_that_is_gone_is_our_failure_and_leaves_nothing(world: World, bench_of: BenchOf) -> None:
    engine = FakeEngine([Behaviour(writes=predict)])
    run = in_test(world, engine)
    world.platform.storage.delete(image_digest(world))
    assert not carried_out(world, bench_of, engine)
    again = run_of(world, run)
    assert (again.state, again.attempt, again.failure_code) == ("waiting", 1, "platform")
    assert "restore it, or set MOODARENA_ORIGIN_URL" in str(again.failure_detail)
    assert engine.containers() == []
    assert not list(world.platform.storage.scratch("work").glob("run-*"))


def image_digest(world: World) -> str:
    with world.read() as session:
        manifest = session.scalars(select(DatasetVersion).filter_by(name="brain")).one().manifest
    return next(case.image.sha256 for case in manifest.cases if case.id == "hidden0brain")


def test_a_success_after_a_failure_of_ours_counts(world: World, bench_of: BenchOf) -> None:
    engine = FakeEngine([Behaviour(writes=predict)])
    run = in_test(world, engine)
    digest = image_digest(world)
    content = world.platform.storage.path(digest).read_bytes()
    world.platform.storage.delete(digest)
    assert not carried_out(world, bench_of, engine)
    world.platform.storage.put(iter([content]), expected=hashlib.sha256(content).hexdigest())
    assert carried_out(world, bench_of, engine)
    assert (run_of(world, run).state, run_of(world, run).attempt) == ("done", 2)
    assert outcomes(world) == ["scored"] * 4


def test_a_failure_of_the_image_replaces_the_story_of_an_earlier_failure_of_ours(
    world: World, bench_of: BenchOf
) -> None:
    engine = FakeEngine([Behaviour(exit_code=3, log=b"division by zero")])
    run = in_test(world, engine)
    world.set(run, failure_code="platform", failure_detail="the disk burned")
    carried_out(world, bench_of, engine)
    told = str(run_of(world, run).failure_detail)
    assert "division by zero" in told
    assert "the disk burned" not in told


def test_nothing_is_written_and_nothing_stays_after_a_lease_was_lost(
    world: World, bench_of: BenchOf, caplog: pytest.LogCaptureFixture
) -> None:
    engine = FakeEngine([])
    run = in_test(world, engine, keep_predictions="true")

    def rob(source: Path, output: Path) -> None:
        predict(source, output)
        world.set(run, token=99)

    engine._behaviours = [Behaviour(writes=rob)]
    caplog.set_level(logging.WARNING)
    carried_out(world, bench_of, engine)
    assert "nothing is written" in caplog.text
    assert outcomes(world) == []
    assert submission_of(world, run).state == "test"
    assert not list(world.platform.storage.scratch("work").glob("run-*"))
    assert not [path for path in world.platform.storage.scratch("predictions").rglob("*") if path.is_file()]


def test_predictions_are_kept_by_the_id_of_their_case_where_the_challenge_says_so(
    world: World, bench_of: BenchOf
) -> None:
    engine = FakeEngine([Behaviour(exit_code=3, writes=predict_two)])
    run = in_test(world, engine, keep_predictions="true", on_incomplete="score")
    carried_out(world, bench_of, engine)
    folder = world.platform.storage.root / "predictions" / run.submission_id / "sample" / "brain"
    assert sorted(path.name for path in folder.iterdir()) == [
        "hidden0brain.nii.gz.txt",
        "hidden1brain.nii.gz.txt",
    ]
    assert (folder / "hidden0brain.nii.gz.txt").read_text() == "0.5"


def test_predictions_go_where_the_challenge_does_not_keep_them(world: World, bench_of: BenchOf) -> None:
    engine = FakeEngine([Behaviour(writes=predict)])
    in_test(world, engine)
    carried_out(world, bench_of, engine)
    assert not [path for path in world.platform.storage.root.rglob("*.txt") if path.is_file()]


def test_a_worker_that_is_told_to_end_leaves_its_container_and_the_next_one_adopts_it(
    world: World, bench_of: BenchOf
) -> None:
    engine = FakeEngine([Behaviour(writes=predict, seconds=3)])
    run = in_test(world, engine)
    lease = claimed(world)
    bench = bench_of(world, engine)
    assert evaluation.run(replace(bench, stopping=lambda: True), lease)
    assert [state.running for state in engine.containers()] == [True]
    assert run_of(world, run).state == "running"
    with world.write() as session:
        assert leases.reclaim(session, SLOT, 100) == [lease]
    assert evaluation.run(bench, lease)
    assert len(engine.started) == 1
    assert (run_of(world, run).state, run_of(world, run).attempt) == ("done", 1)
