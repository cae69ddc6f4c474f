"""Containers over the life of workers that come and go, on a real engine."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import docker
import pytest

from submissions import loops
from submissions.container import Stop, run
from submissions.engine import NAME_LABEL, Engine, LoadRefused
from submissions.output import LoopOutput, TmpfsOutput, output_files
from submissions.sandbox import Job
from submissions.sweep import sweep
from tests.images.busybox import write_archive
from tests.sandbox import MIB, SMALL, assert_nothing_left

MakeJob = Callable[..., Job]
NOW = timedelta(0)


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    return tmp_path / "outputs"


def test_a_worker_that_stops_leaves_its_container_and_the_next_one_adopts_it(
    sandbox_engine: Engine, make_job: MakeJob, outputs: Path
) -> None:
    job = make_job("sleep 1; echo 1 > /mnt/pred/a; echo done; exit 3")

    left = run(sandbox_engine, job, LoopOutput(sandbox_engine, job, outputs), lambda: Stop.LEAVE)
    output = LoopOutput(sandbox_engine, job, outputs)
    adopted = run(sandbox_engine, job, output, adopt=True)

    assert left.stopped is Stop.LEAVE
    assert (adopted.exit_code, adopted.log) == (3, "done\n")
    assert 1 <= adopted.wall_seconds < 3
    with output.files() as folder:
        assert (folder / "a").read_text() == "1\n"
    output.discard()
    assert_nothing_left(sandbox_engine, job, outputs)


def test_a_killed_worker_loses_nothing_of_its_container(
    sandbox_engine: Engine, make_job: MakeJob, outputs: Path
) -> None:
    job = make_job("echo begun > /mnt/pred/a; sleep 2; echo ended >> /mnt/pred/a")
    told = {"namespace": sandbox_engine.namespace, "outputs": str(outputs), "job": _plain(job)}
    worker = subprocess.Popen(
        [sys.executable, "-c", _WORKER, json.dumps(told)], cwd=Path(__file__).parents[2]
    )
    _until(lambda: _started(sandbox_engine, job))
    worker.send_signal(signal.SIGKILL)
    worker.wait()

    output = LoopOutput(sandbox_engine, job, outputs)
    outcome = run(sandbox_engine, job, output, adopt=True)

    with output.files() as folder:
        assert (folder / "a").read_text() == "begun\nended\n"
    output.discard()
    assert outcome.succeeded
    assert_nothing_left(sandbox_engine, job, outputs)


def test_an_adopted_container_has_the_time_it_had(
    sandbox_engine: Engine, make_job: MakeJob, outputs: Path
) -> None:
    job = make_job("sleep 60", limits=SMALL.model_copy(update={"seconds_per_case": 3}))
    run(sandbox_engine, job, LoopOutput(sandbox_engine, job, outputs), lambda: Stop.LEAVE)
    time.sleep(4)

    adopted = time.monotonic()
    output = LoopOutput(sandbox_engine, job, outputs)
    outcome = run(sandbox_engine, job, output, adopt=True)
    assert time.monotonic() - adopted < 5
    output.discard()

    assert outcome.timed_out
    assert 6 <= outcome.wall_seconds < 9


def test_a_cancelled_run_ends_within_a_second(
    sandbox_engine: Engine, make_job: MakeJob, outputs: Path
) -> None:
    job = make_job("trap '' TERM; echo 1 > /mnt/pred/a; sleep 60")
    output = LoopOutput(sandbox_engine, job, outputs)
    cancelled = threading.Event()

    def stop() -> Stop | None:
        return Stop.CANCELLED if cancelled.is_set() else None

    outcome = run(sandbox_engine, job, output, stop, on_started=lambda _: cancelled.set())
    output.discard()

    assert outcome.stopped is Stop.CANCELLED
    assert outcome.wall_seconds < 5
    assert_nothing_left(sandbox_engine, job, outputs)


def test_a_run_may_be_repeated_under_its_name(
    sandbox_engine: Engine, make_job: MakeJob, outputs: Path
) -> None:
    first, second = make_job("echo 1 > /mnt/pred/first"), None
    second = replace(first, command=["sh", "-c", "echo 2 > /mnt/pred/second"])

    run(sandbox_engine, first, LoopOutput(sandbox_engine, first, outputs))
    output = LoopOutput(sandbox_engine, second, outputs)
    run(sandbox_engine, second, output)

    with output.files() as folder:
        assert [path.name for path in folder.iterdir()] == ["second"]
    output.discard()
    assert_nothing_left(sandbox_engine, first, outputs)


def test_two_runs_at_once_do_not_see_each_other(
    sandbox_engine: Engine, make_job: MakeJob, outputs: Path
) -> None:
    jobs = [
        make_job(f"sleep 1; ls /mnt/pred | wc -l; echo {n} > /mnt/pred/{n}", name=f"both-{n}") for n in "ab"
    ]
    found: dict[str, list[str]] = {}

    def go(job: Job) -> None:
        output = LoopOutput(sandbox_engine, job, outputs)
        outcome = run(sandbox_engine, job, output)
        with output.files() as folder:
            found[job.name] = [outcome.log, *(path.name for path in folder.iterdir())]
        output.discard()

    threads = [threading.Thread(target=go, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == {"both-a": ["0\n", "a"], "both-b": ["0\n", "b"]}


def test_predictions_are_read_from_a_mount_that_nothing_can_be_run_from_or_written_to(
    sandbox_engine: Engine, make_job: MakeJob, outputs: Path
) -> None:
    job = make_job("cp /bin/busybox /mnt/pred/true; chmod 4755 /mnt/pred/true")
    output = LoopOutput(sandbox_engine, job, outputs)
    run(sandbox_engine, job, output)

    with output.files() as folder:
        flags = os.statvfs(folder).f_flag
        with pytest.raises(OSError, match="Read-only"):
            (folder / "new").write_text("")
        with pytest.raises(PermissionError):
            subprocess.run([folder / "true"], check=True)
        assert folder.stat().st_uid == 65534
        assert folder.parent.joinpath(folder.name).is_mount()
    assert flags & os.ST_NOSUID
    assert flags & os.ST_NODEV
    output.discard()


def test_the_peak_of_memory_is_what_the_script_held_not_what_it_read(
    sandbox_engine: Engine, make_job: MakeJob, outputs: Path
) -> None:
    script = (
        "dd if=/dev/zero of=/tmp/held bs=1M count=6; dd if=/dev/zero of=/mnt/pred/a bs=1M count=7; sleep 1.5"
    )
    job = make_job(script)
    output = LoopOutput(sandbox_engine, job, outputs)
    outcome = run(sandbox_engine, job, output)
    output.discard()

    cache_is_told = not sandbox_engine.facts().podman
    assert 6 * MIB <= outcome.peak_memory < (13 * MIB if cache_is_told else 64 * MIB)


def test_a_sweep_removes_what_a_dead_worker_left_and_keeps_what_is_needed(
    sandbox_engine: Engine, make_job: MakeJob, outputs: Path
) -> None:
    jobs = [make_job("sleep 60", name=name) for name in ("swept", "needed")]
    for job in jobs:
        run(sandbox_engine, job, LoopOutput(sandbox_engine, job, outputs), lambda: Stop.LEAVE)
    images = sandbox_engine.images()

    swept = sweep(sandbox_engine, outputs, {"needed"}, images, young=NOW)

    assert swept.problems == []
    assert swept.files == ["swept"]
    assert [len(swept.containers), len(swept.volumes), swept.images] == [1, 1, []]
    assert set(output_files(outputs)) == {"needed"}
    assert {state.labels[NAME_LABEL] for state in sandbox_engine.containers()} == {"needed"}
    sweep(sandbox_engine, outputs, (), images, young=NOW)
    assert_nothing_left(sandbox_engine, jobs[1], outputs)


def test_a_sweep_frees_devices_whose_file_is_gone(
    sandbox_engine: Engine, make_job: MakeJob, outputs: Path
) -> None:
    job = make_job("")
    output = LoopOutput(sandbox_engine, job, outputs)
    output.prepare()
    (file,) = output_files(outputs).values()
    file.unlink()
    assert len(loops.orphans(outputs)) == 1

    sweep(sandbox_engine, outputs, (), sandbox_engine.images(), young=NOW)

    assert_nothing_left(sandbox_engine, job, outputs)


def test_an_output_in_memory_goes_with_its_keeper(
    sandbox_engine: Engine, make_job: MakeJob, outputs: Path
) -> None:
    job = make_job("echo 0.5 > /mnt/pred/a.txt; df -k /mnt/pred | tail -1 | awk '{print $2}'")
    output = TmpfsOutput(sandbox_engine, job, outputs)

    outcome = run(sandbox_engine, job, output)
    with output.files() as folder:
        assert (folder / "a.txt").read_text() == "0.5\n"
    output.discard()

    assert outcome.log == f"{job.output_bytes // 1024}\n"
    assert_nothing_left(sandbox_engine, job, outputs)


def test_an_image_is_loaded_by_its_content_and_removed_when_nobody_else_needs_it(
    sandbox_engine: Engine, tmp_path: Path
) -> None:
    expected = write_archive(tmp_path / "image.tar", f"to be removed by {os.getpid()}")

    loaded = sandbox_engine.load(tmp_path / "image.tar")

    assert loaded == expected
    assert sandbox_engine.image_exists(loaded)
    assert loaded in sandbox_engine.images()
    assert sandbox_engine.remove_image(loaded)
    assert not sandbox_engine.image_exists(loaded)
    assert loaded not in sandbox_engine.images()
    assert sandbox_engine.remove_image(loaded)


def test_an_image_with_another_tag_stays_when_ours_goes(sandbox_engine: Engine, tmp_path: Path) -> None:
    write_archive(tmp_path / "image.tar", f"somebody else's {os.getpid()}")
    other = Engine(namespace=f"other-{os.getpid()}")
    loaded = sandbox_engine.load(tmp_path / "image.tar")
    assert other.load(tmp_path / "image.tar") == loaded

    assert not sandbox_engine.remove_image(loaded)

    assert loaded not in sandbox_engine.images()
    assert other.remove_image(loaded)


def test_what_is_no_archive_is_refused(sandbox_engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "image.tar").write_bytes(b"no archive at all" * 1000)

    with pytest.raises(LoadRefused):
        sandbox_engine.load(tmp_path / "image.tar")


def test_what_methods_need_of_python_works_in_the_sandbox(
    sandbox_engine: Engine, make_job: MakeJob, outputs: Path, engine: docker.DockerClient, base_image: str
) -> None:
    image_id = engine.images.get(base_image).id
    limits = SMALL.model_copy(
        update={"memory": 512 * MIB, "shared_memory": 64 * MIB, "pids": 2048, "cpus": 2}
    )
    job = make_job("", image_id=image_id, command=["python3", "-c", _METHOD], limits=limits)
    output = LoopOutput(sandbox_engine, job, outputs)

    outcome = run(sandbox_engine, job, output)
    output.discard()

    assert outcome.log.splitlines() == [
        "product",
        "threads",
        "fork",
        "spawn",
        "shared",
        "socket",
        "cache",
        "nifti",
    ]
    assert outcome.succeeded


_METHOD = """
import concurrent.futures, multiprocessing, os, pathlib, socket, subprocess, sys, tempfile
from multiprocessing import shared_memory
import nibabel, numpy
random = numpy.random.default_rng(1).random((300, 300))
assert numpy.linalg.svd(random @ random)[1].shape == (300,); print("product", flush=True)
with concurrent.futures.ThreadPoolExecutor(8) as pool: assert list(pool.map(abs, range(9))) == list(range(9))
print("threads", flush=True)
with multiprocessing.get_context("fork").Pool(2) as pool: assert pool.map(abs, [-1, -2]) == [1, 2]
print("fork", flush=True)
assert subprocess.run([sys.executable, "-c", "import numpy"]).returncode == 0; print("spawn", flush=True)
block = shared_memory.SharedMemory(create=True, size=1 << 20); block.buf[0] = 1; block.close(); block.unlink()
print("shared", flush=True)
server = socket.create_server(("127.0.0.1", 0)); socket.create_connection(server.getsockname()).close()
print("socket", flush=True)
pathlib.Path.home().joinpath(".cache").mkdir(); assert tempfile.gettempdir() == "/tmp"
print("cache", flush=True)
nibabel.save(nibabel.Nifti1Image(random[..., None].astype("f4"), numpy.eye(4)), "/mnt/pred/a.nii.gz")
print("nifti", flush=True)
"""

_WORKER = """
import json, sys
from pathlib import Path
from challenges.spec import Limits
from submissions.container import run
from submissions.engine import Engine
from submissions.output import LoopOutput
from submissions.sandbox import Job
told = json.loads(sys.argv[1])
engine = Engine(namespace=told["namespace"])
fields = told["job"]
job = Job(**{**fields, "limits": Limits(**fields["limits"]), "input_dir": Path(fields["input_dir"])})
run(engine, job, LoopOutput(engine, job, Path(told["outputs"])))
"""


def _plain(job: Job) -> dict[str, object]:
    return {**vars(job), "limits": job.limits.model_dump(), "input_dir": str(job.input_dir)}


def _started(engine: Engine, job: Job) -> bool:
    state = engine.inspect(engine.container_name(job.name))
    return state is not None and state.running


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)
