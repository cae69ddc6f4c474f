"""Slots: what the setting may say, who may serve one, and that trouble outside does not end one."""

import fcntl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from kombu.exceptions import OperationalError as BrokerAway
from sqlalchemy import update
from sqlalchemy.exc import OperationalError

from backend.db import now
from backend.models.run import Outbox, Run, WorkerSlot
from backend.models.submission import Submission
from submissions.fake_engine import Behaviour, FakeEngine
from tests.unit.backend.world import World
from tests.unit.worker.conftest import GPU
from worker import leases
from worker.leases import Lease
from worker.setting import SlotSpec, parse_slots
from worker.slots import Slot, SlotTaken, node_name

HOLD = """
import fcntl, sys, time
handle = open(sys.argv[1], "a")
fcntl.flock(handle, fcntl.LOCK_EX)
print("locked", flush=True)
time.sleep(60)
"""


def test_slots_are_read_and_equal_ones_numbered() -> None:
    assert parse_slots("toy:cpu, test:cpu,test,toy:" + GPU) == [
        SlotSpec("toy", "cpu", 0),
        SlotSpec("test", "cpu", 0),
        SlotSpec("test", "cpu", 1),
        SlotSpec("toy", GPU, 0),
    ]
    assert [slot.gpu for slot in parse_slots(f"test:cpu,test:{GPU}")] == [None, GPU]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("fast:cpu", "unknown lane 'fast'"),
        (f"toy:{GPU},test:{GPU}", "serves two slots"),
        ("test:0", "'0' is no device"),
        ("test:../../elsewhere", "is no device"),
        (" , ", "names no slot"),
    ],
)
def test_a_setting_that_cannot_be_meant_is_refused(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        parse_slots(text)


@contextmanager
def opened(world: World, engine: FakeEngine, text: str = "test:cpu") -> Iterator[Slot]:
    slot = Slot(world.platform, engine, parse_slots(text)[-1])
    slot.start()
    try:
        yield slot
    finally:
        slot.stop()


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def test_a_slot_is_served_once_and_is_free_again_afterwards(world: World) -> None:
    with opened(world, FakeEngine()), pytest.raises(SlotTaken, match="stop it first"):
        Slot(world.platform, FakeEngine(), parse_slots("test:cpu")[0])
    with opened(world, FakeEngine()):
        pass


def test_a_gpu_is_locked_by_its_uuid_whatever_the_slot(world: World) -> None:
    with (
        opened(world, FakeEngine(), f"toy:{GPU}"),
        pytest.raises(SlotTaken, match=GPU),
    ):
        Slot(world.platform, FakeEngine(), parse_slots(f"test:{GPU}")[0])


def test_a_slot_that_another_process_locked_is_refused(world: World) -> None:
    locks = world.platform.settings.data / "locks"
    locks.mkdir()
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(locks / "test-cpu-0.lock")], stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"locked\n"
        with pytest.raises(SlotTaken):
            Slot(world.platform, FakeEngine(), parse_slots("test:cpu")[0])
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()


def test_a_lock_says_whose_it_is(world: World) -> None:
    with opened(world, FakeEngine()):
        lock = world.platform.settings.data / "locks" / "test-cpu-0.lock"
        assert lock.read_text().isdigit()
        with lock.open() as handle, pytest.raises(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def handed_in(world: World) -> Submission:
    world.challenge()
    user = world.person("anna")
    return world.submission(world.team("blue", user), user, kind="counted", task="sample", state="score")


def test_a_broker_that_is_away_costs_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    row = handed_in(world)
    world.set(row, kind="toy")
    run = world.run(row, "score")
    world.add(Outbox(lane="toy"))

    def away(*_: object, **__: object) -> None:
        raise BrokerAway("no redis")

    monkeypatch.setattr(world.platform.celery, "send_task", away)
    with opened(world, FakeEngine(), "toy:cpu"):
        until(lambda: found(world, run).state == "done")


def found(world: World, run: Run) -> Run:
    with world.read() as session:
        return session.get_one(Run, run.id)


def test_a_slot_outlives_a_database_that_is_away(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    row = handed_in(world)
    world.set(row, kind="toy")
    run = world.run(row, "score")
    calls = []
    reclaim = leases.reclaim

    def away_at_first(*arguments: object) -> list[Lease]:
        calls.append(1)
        if len(calls) == 1:
            raise OperationalError("SELECT", {}, Exception("connection refused"))
        return reclaim(*arguments)

    monkeypatch.setattr(leases, "reclaim", away_at_first)
    with opened(world, FakeEngine(), "toy:cpu") as slot:
        until(lambda: calls)
        slot.wake()
        until(lambda: found(world, run).state == "done")
    assert len(calls) == 2


def test_no_run_is_taken_while_the_engine_is_away_but_the_slot_is_seen(world: World) -> None:
    row = handed_in(world)
    run = world.run(row, "test", task="sample", dataset="brain")
    engine = FakeEngine()
    engine.reachable = False
    slot = Slot(world.platform, engine, parse_slots("test:cpu")[0])
    slot.look_for_work()
    assert (found(world, run).state, found(world, run).attempt) == ("waiting", 0)
    with world.read() as session:
        assert session.get_one(WorkerSlot, slot.name).seen_at > 1e9


def test_a_restarted_slot_ends_the_container_whose_lease_ran_out_and_no_other(world: World) -> None:
    row = handed_in(world)
    lost, living = (world.run(row, "test", task="sample", shard=number) for number in range(2))
    engine = FakeEngine([Behaviour(seconds=60)])
    slot = Slot(world.platform, engine, parse_slots("test:cpu")[0])
    for run, name in ((lost, slot.name), (living, "node/test-cpu-1")):
        world.set(run, state="running", token=1, worker=name)
        job = Lease(run.id, 1).job
        labels = engine.labels(job, {"slot": name})
        engine.start(engine.create(job, {"Labels": labels, "HostConfig": {}}))
    with world.write() as session:
        session.execute(update(Run).values(lease_until=now() - 1, attempt=3, cancel_requested=True))
    slot.look_for_work()
    assert [state.labels["moodarena.name"] for state in engine.containers()] == [Lease(living.id, 1).job]


def test_a_node_keeps_its_name_over_restarts_and_two_folders_differ(world: World) -> None:
    settings = world.platform.settings
    assert node_name(settings) == node_name(settings.model_copy())
    assert node_name(settings) != node_name(settings.model_copy(update={"data": settings.data / "b"}))
