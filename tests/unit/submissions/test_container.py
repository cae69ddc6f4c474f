"""How a run is watched, against an engine without containers."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from challenges.spec import Limits
from submissions import container
from submissions.container import RunOutcome, Stop, readable, run
from submissions.engine import ContainerState, EngineError
from submissions.fake_engine import Behaviour, FakeEngine, FakeOutput
from submissions.sandbox import Job

LIMITS = Limits(
    seconds_per_case=60,
    cases_per_container=4,
    memory=1 << 30,
    cpus=2,
    pids=100,
    shared_memory=1 << 20,
    temporary=1 << 20,
    temporary_inodes=100,
    output_per_case=1 << 20,
    output_inodes=100,
    log=1000,
    open_files=100,
    file_size=1 << 20,
    archive=1,
    unpacked_image=1,
)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(
        name="run7-0-t3",
        image_id="sha256:" + "0" * 64,
        command=["sh", "/workspace/run_sample_brain.sh", "/mnt/data", "/mnt/pred"],
        input_dir=tmp_path,
        input="/mnt/data",
        output="/mnt/pred",
        limits=LIMITS,
        cases=2,
        labels={"run": "7", "token": "3", "slot": "cpu-0"},
    )


@pytest.fixture
def run_with(job: Job, tmp_path: Path) -> Callable[..., RunOutcome]:
    def go(engine: FakeEngine, **options: object) -> RunOutcome:
        return run(engine, job, FakeOutput(engine, job, tmp_path / "outputs"), **options)

    return go


def test_a_run_that_ends_well_is_removed_and_told(run_with: Callable[..., RunOutcome]) -> None:
    engine = FakeEngine([Behaviour(seconds=0.1, log=b"working\n", memory=123)])

    outcome = run_with(engine)

    assert outcome.succeeded
    assert (outcome.exit_code, outcome.log, outcome.peak_memory) == (0, "working\n", 123)
    assert 0.1 <= outcome.wall_seconds < 1
    assert engine.containers() == []


def test_the_labels_of_a_container_name_run_token_and_slot(run_with: Callable[..., RunOutcome]) -> None:
    engine = FakeEngine(namespace="here")

    run_with(engine)

    assert engine.requests[0]["Labels"] == {
        "moodarena": "here",
        "moodarena.name": "run7-0-t3",
        "moodarena.run": "7",
        "moodarena.token": "3",
        "moodarena.slot": "cpu-0",
    }


def test_predictions_lie_in_the_output_folder(job: Job, tmp_path: Path) -> None:
    (tmp_path / "ab.nii.gz").write_bytes(b"scan")

    def predict(cases: Path, folder: Path) -> None:
        for case in cases.glob("*.nii.gz"):
            (folder / f"{case.name}.txt").write_text("0.5")

    engine = FakeEngine([Behaviour(files={"extra": b"1"}, writes=predict)])
    output = FakeOutput(engine, job, tmp_path / "outputs")
    run(engine, job, output)

    with output.files() as folder:
        assert {path.name for path in folder.iterdir()} == {"extra", "ab.nii.gz.txt"}


def test_a_failing_script_keeps_its_exit_code(run_with: Callable[..., RunOutcome]) -> None:
    outcome = run_with(FakeEngine([Behaviour(exit_code=3)]))

    assert outcome.exit_code == 3
    assert outcome.cause == "exit code 3"
    assert not outcome.succeeded


def test_out_of_memory_peaks_at_the_limit(run_with: Callable[..., RunOutcome]) -> None:
    outcome = run_with(FakeEngine([Behaviour(exit_code=137, out_of_memory=True, memory=5)]))

    assert outcome.out_of_memory
    assert outcome.peak_memory == LIMITS.memory


def test_podman_does_not_tell_of_memory_so_a_killed_script_is_taken_for_it(
    run_with: Callable[..., RunOutcome],
) -> None:
    assert run_with(FakeEngine([Behaviour(exit_code=137)], podman=True)).out_of_memory
    assert not run_with(FakeEngine([Behaviour(exit_code=137)])).out_of_memory


@pytest.mark.parametrize("reason", [Stop.CANCELLED, Stop.LEASE_LOST])
def test_a_run_that_is_not_wanted_any_more_is_killed_and_removed(
    run_with: Callable[..., RunOutcome], reason: Stop
) -> None:
    engine = FakeEngine([Behaviour(seconds=60)])

    outcome = run_with(engine, should_stop=lambda: reason)

    assert (outcome.stopped, outcome.exit_code, outcome.timed_out) == (reason, None, False)
    assert len(engine.killed) == 1
    assert engine.containers() == []


def test_a_run_that_is_left_goes_on_and_is_adopted(run_with: Callable[..., RunOutcome]) -> None:
    engine = FakeEngine([Behaviour(seconds=0.3, exit_code=4)])

    left = run_with(engine, should_stop=lambda: Stop.LEAVE)
    adopted = run_with(engine, adopt=True)

    assert left.stopped is Stop.LEAVE
    assert adopted.exit_code == 4
    assert len(engine.requests) == 1
    assert engine.killed == []
    assert engine.containers() == []


def test_a_run_that_ended_while_nobody_watched_is_adopted(run_with: Callable[..., RunOutcome]) -> None:
    engine = FakeEngine([Behaviour(seconds=0.01, exit_code=5)])
    run_with(engine, should_stop=lambda: Stop.LEAVE)
    time.sleep(0.05)

    assert run_with(engine, adopt=True).exit_code == 5
    assert len(engine.requests) == 1


def test_without_adoption_an_older_container_is_replaced(run_with: Callable[..., RunOutcome]) -> None:
    engine = FakeEngine([Behaviour(seconds=60), Behaviour()])
    run_with(engine, should_stop=lambda: Stop.LEAVE)

    outcome = run_with(engine)

    assert outcome.succeeded
    assert len(engine.requests) == 2
    assert engine.containers() == []


def test_adopting_what_was_never_started_starts_anew(job: Job, run_with: Callable[..., RunOutcome]) -> None:
    engine = FakeEngine()
    engine.create(job.name, {"Labels": {}})

    assert run_with(engine, adopt=True).succeeded
    assert engine.started == [job.name]


def test_the_clock_of_an_adopted_run_started_with_its_container(
    run_with: Callable[..., RunOutcome],
) -> None:
    class Earlier(FakeEngine):
        """Containers started two minutes before they were seen."""

        def start(self, container_id: str) -> None:
            super().start(container_id)
            found = self._known(container_id)
            found.state = replace_start(found.state, datetime.now(UTC) - timedelta(seconds=121))

    engine = Earlier([Behaviour(seconds=60)])
    run_with(engine, should_stop=lambda: Stop.LEAVE)

    outcome = run_with(engine, adopt=True)

    assert outcome.timed_out
    assert outcome.cause == "killed after 2 x 60 s"
    assert outcome.wall_seconds == pytest.approx(121, abs=2)


def replace_start(state: ContainerState, started: datetime) -> ContainerState:
    return ContainerState(**{**vars(state), "started": started})


def test_an_image_that_the_engine_refuses_never_ran(run_with: Callable[..., RunOutcome]) -> None:
    engine = FakeEngine([Behaviour(refused="mounting /mnt/pred: not a directory")])

    outcome = run_with(engine)

    assert outcome.never_ran
    assert not outcome.succeeded
    assert "not a directory" in outcome.cause
    assert engine.containers() == []


def test_an_exception_while_watching_leaves_no_container(run_with: Callable[..., RunOutcome]) -> None:
    engine = FakeEngine([Behaviour(seconds=60)])

    def interrupted() -> Stop | None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_with(engine, should_stop=interrupted)
    assert engine.containers() == []


class Flaky(FakeEngine):
    """Cannot be inspected for a while, after `good` times that it can."""

    good, bad = 2, 3

    def inspect(self, container: str) -> ContainerState | None:
        self.good -= 1
        if self.good < 0 and self.bad > 0:
            self.bad -= 1
            raise EngineError("connection refused")
        return super().inspect(container)


def test_an_engine_that_restarts_under_a_living_container_is_waited_for(
    run_with: Callable[..., RunOutcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(container, "_PAUSE", 0.02)

    assert run_with(Flaky([Behaviour(seconds=0.5)])).succeeded


def test_a_container_that_died_while_the_engine_was_away_is_our_fault(
    run_with: Callable[..., RunOutcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(container, "_PAUSE", 0.1)

    with pytest.raises(EngineError, match="while the engine was away"):
        run_with(Flaky([Behaviour(seconds=0.2)]))


def test_a_container_that_vanishes_is_our_fault(run_with: Callable[..., RunOutcome]) -> None:
    engine = FakeEngine([Behaviour(seconds=60)])

    def vanish() -> None:
        engine.remove(engine.containers()[0].id)

    with pytest.raises(EngineError, match="vanished"):
        run_with(engine, should_stop=vanish)


def test_who_started_it_is_told_the_container(run_with: Callable[..., RunOutcome]) -> None:
    seen: list[ContainerState] = []
    engine = FakeEngine()

    run_with(engine, on_started=seen.append)

    assert [state.name for state in seen] == ["moodarena-fake-run7-0-t3"]


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"plain\n", "plain\n"),
        (b"a\r\nb\rc", "a\nb\nc"),
        (b"\x1b[31mred\x00\x07", "␛[31mred␀␇"),
        ("ä€".encode(), "ä€"),
        (b"\xff\xfe", "��"),
        (b"tab\there", "tab\there"),
    ],
)
def test_a_log_becomes_text_without_control_characters(raw: bytes, shown: str) -> None:
    assert readable(raw, 1000) == shown


def test_a_log_is_cut_at_its_start_and_never_inside_a_character() -> None:
    assert readable("€€€".encode(), 4) == "€"
    assert len(readable(b"\xff" * 100, 50).encode()) <= 50
