"""Run one stranger's container to its end: start or adopt it, watch the clock, stop it, say what happened.

output = LoopOutput(engine, job, directory)
try:
    outcome = run(engine, job, output, should_stop)
    with output.files() as folder:
        ...read predictions...
finally:
    output.discard()   # but not after Stop.LEAVE: then the container goes on and is adopted later
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from submissions.engine import ContainerState, Engine, EngineError, Facts, StartRefused
from submissions.output import Output
from submissions.sandbox import Job, create_request

_FIRST_PAUSE, _PAUSE = 0.05, 0.5
_DEATH_SECONDS, _ENGINE_SECONDS, _GRACE = 60.0, 60.0, 5.0
_KILLED = 137
_PICTURES = {code: 0x2400 + code for code in range(0x20)} | {0x7F: 0x2421, 0x0D: 0x0A, 0x0A: 0x0A, 0x09: 0x09}


class Stop(StrEnum):
    """Why a run that could go on does not."""

    CANCELLED = "cancelled"
    LEASE_LOST = "lease_lost"
    LEAVE = "leave"
    """The worker stops but the container goes on; who comes next adopts it."""


@dataclass(frozen=True)
class RunOutcome:
    """What became of a container.

    Attributes:
        exit_code: of the entry script; None if it never ran or was stopped by us.
        timed_out: stopped because its time was over.
        out_of_memory: the kernel killed some process of it for want of memory; on Podman, which does not
            tell, an entry script that somebody else than we killed.
        output_full: at the end there was no room in the output folder; a fault only if something failed.
        stopped: why we stopped it or left it alone.
        wall_seconds: from start to end on the engine's clock.
        peak_memory: bytes, sampled twice a second, without file cache; the limit if `out_of_memory`.
        log: the last `limits.log` bytes of what it wrote to its streams, readable and without control
            characters.
        cause: one line for the operator.
    """

    exit_code: int | None
    timed_out: bool
    out_of_memory: bool
    output_full: bool
    stopped: Stop | None
    wall_seconds: float
    peak_memory: int
    log: str
    cause: str

    @property
    def never_ran(self) -> bool:
        """Whether the engine could make no container of the image; `cause` has its words."""
        return self.exit_code is None and not self.timed_out and self.stopped is None

    @property
    def succeeded(self) -> bool:
        """Whether the entry script ran to its end and reported success."""
        return self.exit_code == 0 and not self.timed_out and self.stopped is None


@dataclass
class _Watch:
    """What the watching found so far."""

    state: ContainerState
    timed_out: bool = False
    stopped: Stop | None = None
    peak_memory: int = 0

    @property
    def ended(self) -> bool:
        return self.timed_out or self.stopped is not None


def never() -> Stop | None:
    """A `should_stop` for those who never stop."""
    return None


def run(
    engine: Engine,
    job: Job,
    output: Output,
    should_stop: Callable[[], Stop | None] = never,
    adopt: bool = False,
    on_started: Callable[[ContainerState], None] | None = None,
) -> RunOutcome:
    """Run the container of `job` and return when it is dead and removed (but see `Stop.LEAVE`).

    With `adopt`, a container of the same job that an earlier worker started is taken over as it is, with the
    time that it has used; without, or if there is none, a new one replaces whatever is there. `should_stop`
    is called about twice a second.

    Raises:
        EngineError: the fault is ours. The container is removed, as after any other exception.
    """
    name = engine.container_name(job.name)
    leave = False
    try:
        state = (_find(engine, name) if adopt else None) or _start(engine, job, output, name)
        if on_started is not None:
            on_started(state)
        watch = _watch(engine, job, state, should_stop)
        leave = watch.stopped is Stop.LEAVE
        log = readable(engine.logs(state.id, job.limits.log), job.limits.log)
    except StartRefused as refusal:
        return _never_ran(refusal)
    finally:
        if not leave:
            engine.remove(name)
    return _outcome(job, engine.facts(), watch, log, output_full=not leave and output.full())


def _find(engine: Engine, name: str) -> ContainerState | None:
    state = engine.inspect(name)
    return state if state is not None and state.started is not None else None


def _start(engine: Engine, job: Job, output: Output, name: str) -> ContainerState:
    engine.remove(name)
    volume = output.prepare()
    labels = engine.labels(job.name, job.labels)
    request = create_request(job, engine.facts(), labels, volume, output.extra_memory)
    container_id = engine.create(job.name, request)
    engine.initialise(container_id)
    output.verify(container_id)
    engine.start(container_id)
    output.started()
    state = engine.inspect(container_id)
    if state is None:
        raise EngineError("the container vanished after its start")
    return state


def _watch(engine: Engine, job: Job, state: ContainerState, should_stop: Callable[[], Stop | None]) -> _Watch:
    """Follow a started container until it is dead, or until it is to be left alone."""
    watch = _Watch(state)
    deadline = time.monotonic() + job.seconds - _used(state)
    pause = _FIRST_PAUSE
    while watch.state.running:
        watch.peak_memory = max(watch.peak_memory, engine.memory(state.id) or 0)
        if not watch.ended:
            watch.timed_out = time.monotonic() >= deadline
            watch.stopped = None if watch.timed_out else should_stop()
            if watch.stopped is Stop.LEAVE:
                return watch
            if watch.ended:
                engine.kill(state.id)
                deadline = time.monotonic() + _DEATH_SECONDS
        elif time.monotonic() >= deadline:
            raise EngineError(f"the container did not die within {_DEATH_SECONDS:.0f} s of being killed")
        time.sleep(pause)
        pause = min(2 * pause, _PAUSE)
        watch.state = _look(engine, state.id)
    watch.timed_out = watch.timed_out or _duration(watch.state) > job.seconds + _GRACE
    return watch


def _look(engine: Engine, container_id: str) -> ContainerState:
    """The state of a container that must exist; waits for an engine that is being restarted.

    Raises:
        EngineError: the engine stays away, the container is gone, or it died while the engine was away, so
            that nobody can tell whose fault it was.
    """
    deadline, away = time.monotonic() + _ENGINE_SECONDS, False
    while True:
        try:
            state = engine.inspect(container_id)
        except EngineError:
            if time.monotonic() >= deadline:
                raise
            away = True
            time.sleep(_PAUSE)
            continue
        if state is None:
            raise EngineError("the container vanished while it ran")
        if away and not state.running:
            raise EngineError("the container died while the engine was away")
        return state


def _used(state: ContainerState) -> float:
    """Seconds since the start, by our clock; the engine's is on the same machine wherever we adopt."""
    return max(0.0, (datetime.now(UTC) - state.started).total_seconds()) if state.started else 0.0


def _duration(state: ContainerState) -> float:
    if state.started is None or state.finished is None:
        return 0.0
    return max(0.0, (state.finished - state.started).total_seconds())


def _outcome(job: Job, facts: Facts, watch: _Watch, log: str, output_full: bool) -> RunOutcome:
    state = watch.state
    guessed = facts.podman and state.exit_code == _KILLED and not watch.ended
    out_of_memory = state.out_of_memory or guessed
    outcome = RunOutcome(
        exit_code=None if watch.ended else state.exit_code,
        timed_out=watch.timed_out,
        out_of_memory=out_of_memory,
        output_full=output_full,
        stopped=watch.stopped,
        wall_seconds=_duration(state) if not state.running else _used(state),
        peak_memory=job.limits.memory if out_of_memory else watch.peak_memory,
        log=log,
        cause="",
    )
    return replace(outcome, cause=_cause(job, outcome, state.error))


def _cause(job: Job, outcome: RunOutcome, error: str) -> str:
    parts = [
        f"stopped: {outcome.stopped}" if outcome.stopped else "",
        f"killed after {job.cases} x {job.limits.seconds_per_case} s" if outcome.timed_out else "",
        f"exit code {outcome.exit_code}" if outcome.exit_code is not None else "",
        "a process was killed for want of memory" if outcome.out_of_memory else "",
        "the output folder is full" if outcome.output_full else "",
        error,
    ]
    return "; ".join(part for part in parts if part)


def _never_ran(refusal: StartRefused) -> RunOutcome:
    return RunOutcome(
        exit_code=None,
        timed_out=False,
        out_of_memory=False,
        output_full=False,
        stopped=None,
        wall_seconds=0.0,
        peak_memory=0,
        log="",
        cause=str(refusal),
    )


def readable(log: bytes, limit: int) -> str:
    """A stranger's log as text of at most `limit` bytes in UTF-8, its end kept, control characters shown."""
    text = log.replace(b"\r\n", b"\n").decode("utf-8", "replace").translate(_PICTURES)
    return text.encode("utf-8")[-limit:].decode("utf-8", "ignore")
