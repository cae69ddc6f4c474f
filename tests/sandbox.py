"""Fixtures for tests that run containers: an engine of their own namespace, a small image, and `attack`."""

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import docker
import pytest

from challenges.spec import Limits
from submissions import loops
from submissions.container import RunOutcome, run
from submissions.engine import NAME_LABEL, Engine
from submissions.output import LoopOutput, TmpfsOutput, output_files
from submissions.sandbox import Job
from submissions.sweep import sweep
from tests.images.busybox import write_archive

MIB = 1 << 20

SMALL = Limits(
    seconds_per_case=20,
    cases_per_container=2,
    memory=64 * MIB,
    cpus=1,
    pids=64,
    shared_memory=4 * MIB,
    temporary=8 * MIB,
    temporary_inodes=200,
    output_per_case=4 * MIB,
    output_inodes=64,
    log=65536,
    open_files=256,
    file_size=64 * MIB,
    gpu=False,
    archive=64 * MIB,
    unpacked_image=64 * MIB,
)


@dataclass
class Attacked:
    """What a script in the sandbox led to.

    Attributes:
        kinds: `stat.S_IFMT` of everything in the output folder, by name.
        contents: of the regular files below 1 MiB.
    """

    outcome: RunOutcome
    kinds: dict[str, int] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)

    @property
    def lines(self) -> list[str]:
        """What the script printed."""
        return self.outcome.log.splitlines()


@pytest.fixture(scope="session")
def sandbox_engine(engine: docker.DockerClient) -> Iterator[Engine]:
    """An engine whose containers, volumes and images of this test process go at the end."""
    ours = Engine(namespace=f"test-{os.getpid()}")
    yield ours
    sweep(ours, None, needed=(), needed_images=(), young=timedelta(0))


@pytest.fixture(scope="session")
def load_image(sandbox_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Make an image of busybox and load it: `load_image("name", files=..., config=...)` gives its id."""

    def load(name: str, **options: Any) -> str:
        archive = tmp_path_factory.mktemp("image") / "image.tar"
        write_archive(archive, f"{name}-{os.getpid()}", **options)
        return sandbox_engine.load(archive)

    return load


@pytest.fixture(scope="session")
def busybox(load_image: Callable[..., str]) -> str:
    """Id of a plain image with a shell."""
    return load_image("plain")


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    """A folder with two cases."""
    folder = tmp_path / "cases"
    folder.mkdir(mode=0o755)
    for number in range(2):
        (folder / f"case_{number}.nii.gz").write_bytes(b"not really a scan")
    return folder


@pytest.fixture
def make_job(busybox: str, cases: Path, tmp_path: Path) -> Callable[..., Job]:
    """Describe a job: `make_job("echo hello")`; further arguments replace fields of the job."""

    def make(script: str, **fields: Any) -> Job:
        given: dict[str, Any] = {
            "name": f"job-{tmp_path.name}",
            "image_id": busybox,
            "command": ["sh", "-c", script],
            "input_dir": cases,
            "input": "/mnt/data",
            "output": "/mnt/pred",
            "limits": SMALL,
            "cases": 2,
        }
        return Job(**{**given, **fields})

    return make


@pytest.fixture
def attack(sandbox_engine: Engine, make_job: Callable[..., Job], tmp_path: Path) -> Callable[..., Attacked]:
    """Run a shell script in the sandbox, on an exact output or, with `exact=False`, on one in memory.

    Checks afterwards that nothing is left of it.
    """

    def go(script: str, exact: bool = True, **fields: Any) -> Attacked:
        job = make_job(script, **fields)
        kind = LoopOutput if exact else TmpfsOutput
        output = kind(sandbox_engine, job, tmp_path / "outputs")
        try:
            attacked = Attacked(run(sandbox_engine, job, output))
            if not attacked.outcome.never_ran:
                with output.files() as folder:
                    _look(folder, attacked)
        finally:
            output.discard()
        assert_nothing_left(sandbox_engine, job, tmp_path / "outputs")
        return attacked

    return go


def assert_nothing_left(engine: Engine, job: Job, directory: Path) -> None:
    """No container, volume, file, mount or loop device of a job."""
    assert [state.name for state in engine.containers() if state.labels[NAME_LABEL] == job.name] == []
    assert [volume.name for volume in engine.volumes() if volume.labels[NAME_LABEL] == job.name] == []
    assert output_files(directory) == {}
    assert loops.orphans(directory) == []
    assert not directory.exists() or list(directory.iterdir()) == []


def _look(folder: Path, attacked: Attacked) -> None:
    for path in sorted(folder.iterdir()):
        status = path.lstat()
        attacked.kinds[path.name] = stat.S_IFMT(status.st_mode)
        if stat.S_ISREG(status.st_mode) and status.st_size < MIB:
            attacked.contents[path.name] = path.read_bytes()
