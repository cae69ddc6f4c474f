from fastapi.testclient import TestClient

from backend.models.run import WorkerSlot
from backend.models.submission import Submission
from backend.models.user import User
from backend.results import service
from backend.results.schemas import EstimateView
from backend.results.waiting import with_estimates
from tests.unit.backend.world import NOON, World

PAIRS = [(task, dataset) for task in ("sample", "pixel") for dataset in ("brain", "abdom")]


def slots(world: World, seen_at: float = 2e10) -> None:
    world.add(*(WorkerSlot(name=lane, lane=lane, device="cpu", seen_at=seen_at) for lane in ("toy", "test")))


def past(world: World, user: User, seconds: float = 300.0) -> None:
    """Three submissions that are over, every run of which took as long."""
    took = {"state": "done", "started_at": NOON, "finished_at": NOON + seconds}
    team = world.team("Before")
    for _ in range(3):
        row = world.submission(team, user, kind="counted", task="pixel")
        world.moved(row, "toy", "test", "score", "ranked")
        for stage in ("verify", "score"):
            world.run(row, stage, **took)
        for stage in ("toy", "test"):
            for _, dataset in PAIRS[2:]:
                world.run(row, stage, task="pixel", dataset=dataset, **took)


def estimate(world: World, row: Submission, user: User) -> EstimateView | None:
    with world.read() as session:
        found = service.find_submission(session, row.id, user)
        (item,) = with_estimates(session, [service.summary(session, found, user)])
        return item.estimate


def test_an_estimate_counts_what_past_runs_of_every_stage_to_come_took(world: World, ada: User) -> None:
    past(world, ada)
    slots(world)
    team = world.team("Alpha", ada)
    row = world.submission(team, ada, kind="counted", task="pixel")
    world.run(row, "verify")
    # Check, toys of two datasets, 8 hidden cases of each in containers of 4, scoring; 5 minutes each.
    assert estimate(world, row, ada) == EstimateView(low=40, likely=40, high=40, text="about 40 min")
    toy = world.submission(team, ada, title="first")
    world.run(toy, "verify", priority=-1)
    told = estimate(world, row, ada)
    assert told is not None
    assert told.likely > 40


def test_without_past_runs_or_workers_there_is_none_and_the_page_says_so(
    client: TestClient, world: World, ada: User
) -> None:
    row = world.submission(world.team("Alpha", ada), ada)
    world.run(row, "verify")
    slots(world)
    assert estimate(world, row, ada) is None
    past(world, ada)
    with world.write() as session:
        session.query(WorkerSlot).update({"seen_at": NOON})
    assert estimate(world, row, ada) is None


def test_which_hidden_shards_are_over_changes_nothing(world: World, ada: User) -> None:
    past(world, ada)
    slots(world)
    row = world.submission(world.team("Alpha", ada), ada, kind="counted", task="pixel")
    world.moved(row, "toy", "test")
    runs = [
        world.run(row, "test", task="pixel", dataset=dataset, shard=shard)
        for _, dataset in PAIRS[2:]
        for shard in range(2)
    ]
    whole = estimate(world, row, ada)
    assert whole is not None
    assert whole.likely == 25
    world.set(runs[0], state="running", started_at=2e10)
    assert estimate(world, row, ada) == whole
    world.set(runs[0], state="done", finished_at=2e10)
    assert estimate(world, row, ada) == whole


def test_what_is_over_has_no_estimate(world: World, ada: User) -> None:
    past(world, ada)
    slots(world)
    row = world.submission(world.team("Alpha", ada), ada)
    world.moved(row, "cancelled")
    assert estimate(world, row, ada) is None
