"""Who may work on a run, on both databases."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from backend.db import now
from backend.errors import Conflict
from backend.intake import service as intake
from backend.models.run import Outbox, Run, WorkerSlot
from backend.models.submission import Submission
from backend.models.user import User
from submissions.container import Stop
from submissions.contract import Code, failure
from tests.unit.backend.world import World
from worker import leases
from worker.heartbeat import Heartbeat
from worker.leases import Beat, Lease, LeaseLost

OURS = failure(Code.PLATFORM, detail="the disk burned")


@pytest.fixture
def submission(any_world: World) -> Submission:
    any_world.challenge()
    user = any_world.person("anna")
    return any_world.submission(
        any_world.team("blue", user), user, kind="counted", task="sample", state="test"
    )


def waiting(world: World, submission: Submission, count: int = 1, **values: object) -> list[Run]:
    return [world.run(submission, "test", task="sample", shard=number, **values) for number in range(count)]


def claimed(world: World, worker: str = "w", lease_seconds: float = 100) -> Lease:
    with world.write() as session:
        lease = leases.claim(session, "test", worker, lease_seconds)
    assert lease is not None
    return lease


def expire(world: World, lease: Lease) -> None:
    with world.write() as session:
        session.execute(update(Run).where(Run.id == lease.run_id).values(lease_until=now() - 1))


def found(world: World, run_id: int) -> Run:
    with world.read() as session:
        return session.get_one(Run, run_id)


def state_of(world: World, submission: Submission) -> Submission:
    with world.read() as session:
        return session.get_one(Submission, submission.id)


def test_two_claimers_never_get_the_same_run(any_world: World, submission: Submission) -> None:
    runs = waiting(any_world, submission, 24)

    def claim_all(worker: str) -> list[int]:
        mine = []
        while True:
            with any_world.write() as session:
                lease = leases.claim(session, "test", worker, 100)
            if lease is None:
                return mine
            mine.append(lease.run_id)

    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(claim_all, "abcd"))
    assert sorted(chain(*taken)) == [run.id for run in runs]
    for worker, ids in zip("abcd", taken, strict=True):
        assert all(found(any_world, run_id).worker == worker for run_id in ids)


def test_runs_are_claimed_in_order_of_priority_then_age_and_of_one_lane_only(
    any_world: World, submission: Submission
) -> None:
    late, urgent = waiting(any_world, submission, 2)
    any_world.set(urgent, priority=-1)
    any_world.run(submission, "toy", task="sample")
    assert [claimed(any_world).run_id for _ in range(2)] == [urgent.id, late.id]
    with any_world.write() as session:
        assert leases.claim(session, "test", "w", 100) is None


def test_a_stale_token_cannot_write(any_world: World, submission: Submission) -> None:
    waiting(any_world, submission)
    old = claimed(any_world)
    expire(any_world, old)
    with any_world.write() as session:
        assert leases.requeue_expired(session, any_world.platform.settings) == 1
    new = claimed(any_world, "other")
    with pytest.raises(LeaseLost), any_world.write() as session:
        leases.hold(session, old)
    with any_world.write() as session:
        assert leases.renew(session, old, 100) == Beat(held=False, cancelled=False)
        assert leases.hold(session, new)[1].worker == "other"


def test_a_run_that_is_over_cannot_be_written_again(any_world: World, submission: Submission) -> None:
    waiting(any_world, submission)
    lease = claimed(any_world)
    with any_world.write() as session:
        leases.close(leases.hold(session, lease)[1], "done")
    with pytest.raises(LeaseLost), any_world.write() as session:
        leases.hold(session, lease)


def test_a_heartbeat_renews_the_lease_and_hears_of_a_cancel(any_world: World, submission: Submission) -> None:
    waiting(any_world, submission)
    lease = claimed(any_world, lease_seconds=1)
    before = found(any_world, lease.run_id).lease_until
    with any_world.write() as session:
        assert leases.renew(session, lease, 500) == Beat(held=True, cancelled=False)
    after = found(any_world, lease.run_id).lease_until
    assert before is not None
    assert after is not None
    assert after - before > 400
    with any_world.write() as session:
        intake.cancel(session, session.get_one(User, submission.user_id), submission.id)
    with any_world.write() as session:
        assert leases.renew(session, lease, 500) == Beat(held=True, cancelled=True)


def test_a_slot_with_a_long_run_is_still_seen(any_world: World, submission: Submission) -> None:
    waiting(any_world, submission)
    any_world.add(WorkerSlot(name="w", lane="test", device="cpu", seen_at=0.0))
    lease = claimed(any_world)
    with any_world.write() as session:
        leases.renew(session, lease, 100)
    with any_world.read() as session:
        assert session.get_one(WorkerSlot, "w").seen_at > 1e9


def test_an_expired_run_waits_again_and_keeps_the_cause(any_world: World, submission: Submission) -> None:
    waiting(any_world, submission)
    lease = claimed(any_world, "node/test-cpu-0")
    expire(any_world, lease)
    with any_world.write() as session:
        leases.requeue_expired(session, any_world.platform.settings)
    run = found(any_world, lease.run_id)
    assert (run.state, run.attempt, run.worker, run.lease_until) == ("waiting", 1, None, None)
    assert run.failure_code == Code.PLATFORM
    assert run.failure_detail == "worker node/test-cpu-0 fell silent in attempt 1"
    with any_world.read() as session:
        assert session.scalars(select(Outbox.lane)).all() == ["test"]


def test_tries_are_used_up_and_then_it_is_our_failure_which_costs_nothing(
    any_world: World, submission: Submission
) -> None:
    waiting(any_world, submission, 2)
    for _ in range(any_world.platform.settings.max_attempts):
        lease = claimed(any_world)
        with any_world.write() as session:
            leases.give_back(session, lease, OURS, any_world.platform.settings.max_attempts)
    ended = state_of(any_world, submission)
    assert (ended.state, ended.failure_code, ended.failure_ours) == ("failed", "platform", True)
    assert ended.failure_detail == "the disk burned"
    with any_world.read() as session:
        assert sorted(session.scalars(select(Run.state))) == ["cancelled", "failed"]
        row = session.get_one(Submission, submission.id)
        assert intake.quota(session, row.challenge.spec, row.team, "sample").used == 0


def test_a_cancelled_run_whose_worker_died_is_not_tried_again(
    any_world: World, submission: Submission
) -> None:
    waiting(any_world, submission)
    lease = claimed(any_world)
    with any_world.write() as session:
        intake.cancel(session, session.get_one(User, submission.user_id), submission.id)
    expire(any_world, lease)
    with any_world.write() as session:
        leases.requeue_expired(session, any_world.platform.settings)
    assert found(any_world, lease.run_id).state == "cancelled"


def test_a_restarted_slot_takes_up_its_own_living_leases_only(
    any_world: World, submission: Submission
) -> None:
    waiting(any_world, submission, 3)
    mine, others, dead = claimed(any_world, "me"), claimed(any_world, "you"), claimed(any_world, "me")
    expire(any_world, dead)
    with any_world.write() as session:
        assert leases.reclaim(session, "me", 100) == [mine]
    assert found(any_world, others.run_id).worker == "you"


def test_cancelling_and_finishing_at_once_never_deadlock(any_world: World, submission: Submission) -> None:
    user = submission.user_id
    rounds = 12
    team = state_of(any_world, submission).team_id
    outcomes = []
    for _ in range(rounds):
        row = Submission(
            challenge_id="demo",
            team_id=team,
            user_id=user,
            kind="counted",
            task="sample",
            title="t",
            state="test",
            archive_sha256="ab" * 32,
            archive_size=1,
        )
        any_world.add(row)
        waiting(any_world, row, 2)
        outcomes.append(_race(any_world, row, [claimed(any_world), claimed(any_world, "other")], user))
    assert {"failed", "cancelled"} >= set(outcomes)


def _race(world: World, row: Submission, held: list[Lease], user: str) -> str:
    """Two workers fail their runs for good, a third requeues, and the owner cancels, all at once."""
    start = threading.Barrier(4)

    def fail(lease: Lease) -> None:
        start.wait()
        with world.write() as session:
            leases.give_back(session, lease, OURS, 1)

    def cancel() -> None:
        start.wait()
        with world.write() as session:
            intake.cancel(session, session.get_one(User, user), row.id)

    def requeue() -> None:
        start.wait()
        with world.write() as session:
            leases.requeue_expired(session, world.platform.settings)

    jobs: list[Callable[[], None]] = [lambda: fail(held[0]), lambda: fail(held[1]), cancel, requeue]
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(job) for job in jobs]:
            error = done.exception(timeout=60)
            assert error is None or isinstance(error, Conflict), error
    return state_of(world, row).state


def test_a_database_that_is_away_for_longer_than_a_lease_ends_the_work(world: World) -> None:
    settings = world.platform.settings.model_copy(update={"lease_seconds": 0.3, "heartbeat_seconds": 0.05})

    class Away:
        def write(self) -> None:
            raise OperationalError("UPDATE run", {}, Exception("connection refused"))

    with Heartbeat(Away(), Lease(1, 1), settings) as heart:
        assert heart.stop is None
        deadline = time.monotonic() + 20
        while heart.stop is None and time.monotonic() < deadline:
            time.sleep(0.02)
        assert heart.stop is Stop.LEASE_LOST


def test_a_lease_that_was_given_away_ends_the_work(any_world: World, submission: Submission) -> None:
    settings = any_world.platform.settings.model_copy(update={"heartbeat_seconds": 0.05})
    waiting(any_world, submission)
    lease = claimed(any_world)
    with Heartbeat(any_world.platform.database, Lease(lease.run_id, lease.token - 1), settings) as heart:
        deadline = time.monotonic() + 20
        while heart.stop is None and time.monotonic() < deadline:
            time.sleep(0.02)
        assert heart.stop is Stop.LEASE_LOST
