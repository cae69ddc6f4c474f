"""What a killed, frozen or restarted worker must not do: lose a submission, or score it twice.

The kill is shown on both databases and brokers, with several shards; the rest on what a newcomer gets.
"""

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from backend.models.run import Run
from backend.models.score import CaseResult, Score
from tests.integration.arena import ONLY_HIDDEN, SAMPLE, Arena, all_scripts, children, spec_text

SLOW_ON_HIDDEN = ONLY_HIDDEN + '[ -z "$hidden" ] || sleep 3\n' + SAMPLE
ONE_SHARD = spec_text(cases_per_container=6)
SLOW = {**all_scripts(), "run_sample_brain.sh": SLOW_ON_HIDDEN}
CASES, DATASETS = 6, 2


def assert_scored_exactly_once(arena: Arena, submission: str) -> None:
    ended = arena.final(submission)
    assert ended.state == "ranked", ended.failure_detail
    scores = arena.rows(Score, submission_id=submission, stage="test")
    assert sorted(score.dataset for score in scores) == ["abdom", "brain"]
    assert all(score.outcomes == {"scored": CASES} for score in scores)
    assert len(arena.rows(CaseResult, submission_id=submission, stage="test")) == CASES * DATASETS


def kill_in_a_test_run(arena: Arena, lease_seconds: str = "5") -> str:
    worker = arena.worker(MOODARENA_LEASE_SECONDS=lease_seconds)
    submission = arena.submit(SLOW)
    run = arena.until_running(submission, "test")
    arena.until(lambda: arena.has_container(run), "its container")
    arena.kill(worker)
    return submission


@pytest.fixture
def arena(tmp_path: Path, scans: Path, engine: docker.DockerClient) -> Iterator[Arena]:
    """A platform on SQLite with the file broker, and one container per task and dataset."""
    with Arena(tmp_path, scans, spec=ONE_SHARD) as opened:
        yield opened


@pytest.fixture(params=["sqlite and files", "postgresql and redis"])
def any_arena(
    request: pytest.FixtureRequest, tmp_path: Path, scans: Path, engine: docker.DockerClient
) -> Arena:
    if request.param == "sqlite and files":
        return Arena(tmp_path, scans)
    database = request.getfixturevalue("fresh_postgres_url")
    return Arena(tmp_path, scans, database, request.getfixturevalue("fresh_redis_url"))


def test_a_worker_killed_in_a_test_run_and_started_again_gives_exactly_one_score(any_arena: Arena) -> None:
    with any_arena as arena:
        submission = kill_in_a_test_run(arena)
        arena.worker()
        assert_scored_exactly_once(arena, submission)


def test_a_restarted_worker_adopts_the_container_that_still_runs(arena: Arena) -> None:
    submission = kill_in_a_test_run(arena, lease_seconds="60")
    arena.worker()
    assert_scored_exactly_once(arena, submission)
    assert {run.attempt for run in arena.rows(Run, submission_id=submission, stage="test")} == {1}


def test_a_run_whose_worker_never_comes_back_is_done_by_another(arena: Arena, tmp_path: Path) -> None:
    submission = kill_in_a_test_run(arena)
    elsewhere = tmp_path / "elsewhere"
    (elsewhere).mkdir()
    os.symlink(arena.settings.data / "blobs", elsewhere / "blobs")
    arena.worker(data=elsewhere)
    assert_scored_exactly_once(arena, submission)
    assert 2 in {run.attempt for run in arena.rows(Run, submission_id=submission, stage="test")}


def test_a_frozen_worker_that_wakes_up_late_writes_nothing(arena: Arena) -> None:
    worker = arena.worker(MOODARENA_SLOTS="toy:cpu,test:cpu,test:cpu")
    submission = arena.submit(SLOW)
    run = arena.until_running(submission, "test")
    frozen = slot_process(worker.pid, str(run.worker))
    os.kill(frozen, signal.SIGSTOP)
    try:
        arena.until(lambda: arena.rows(Run, id=run.id)[0].attempt > 1, "another slot to take the run")
    finally:
        os.kill(frozen, signal.SIGCONT)
    assert_scored_exactly_once(arena, submission)
    assert arena.rows(Run, id=run.id)[0].worker != run.worker


def slot_process(supervisor: int, worker: str) -> int:
    slot = worker.rpartition("/")[2]
    for child in children(supervisor):
        if f"{slot}@" in Path(f"/proc/{child}/cmdline").read_text():
            return child
    raise AssertionError(f"no process of slot {slot}")


def test_a_slot_that_dies_alone_is_started_again_and_all_end_with_their_supervisor(arena: Arena) -> None:
    worker = arena.worker()
    submission = arena.submit(SLOW)
    run = arena.until_running(submission, "test")
    os.kill(slot_process(worker.pid, str(run.worker)), signal.SIGKILL)
    assert_scored_exactly_once(arena, submission)
    slots = children(worker.pid)
    assert len(slots) == 2
    worker.kill()
    worker.wait()
    arena.until(lambda: not any(Path(f"/proc/{slot}").exists() for slot in slots), "the slots to end")


def test_a_stopped_worker_leaves_its_container_to_the_next_one(arena: Arena) -> None:
    worker = arena.worker(MOODARENA_LEASE_SECONDS="60")
    submission = arena.submit(SLOW)
    run = arena.until_running(submission, "test")
    arena.until(lambda: arena.has_container(run), "its container")
    worker.terminate()
    worker.wait(timeout=90)
    assert arena.has_container(run)
    arena.worker()
    assert_scored_exactly_once(arena, submission)
    assert arena.rows(Run, id=run.id)[0].attempt == 1


def test_every_message_may_be_lost_and_the_broker_never_be_there(arena: Arena) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        arena.worker(MOODARENA_BROKER_URL=f"redis://127.0.0.1:{nobody.getsockname()[1]}/0")
        assert_scored_exactly_once(arena, arena.submit(all_scripts()))
