"""Scoring runs and rescorings at the same time: each submission gets figures under each version."""

import threading
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import select

from backend.models.challenge import Challenge
from backend.models.score import Score
from backend.models.scoring import ScoringVersion
from backend.models.submission import Submission
from backend.results import rescoring, versions
from backend.results.drafts import Change, draft
from submissions.fake_engine import FakeEngine
from tests.unit.backend.evaluated import evaluated, ranked
from tests.unit.backend.world import World
from tests.unit.worker.conftest import SLOT, BenchOf
from worker import evaluation, leases
from worker.bench import Bench
from worker.leases import Lease


def claimed(world: World) -> Lease:
    with world.write() as session:
        lease = leases.claim(session, "toy", SLOT, 100)
    assert lease is not None
    return lease


def drafted(world: World, reason: str = "why not") -> ScoringVersion:
    with world.read() as session:
        challenge = session.get_one(Challenge, "demo")
        return draft(session, challenge, Change(missing="worst"), reason, "boss")


def scored(world: World) -> set[tuple[str, int, str]]:
    """(title of the submission, number of the version, dataset) of every score."""
    query = (
        select(Submission.title, ScoringVersion.number, Score.dataset)
        .select_from(Score)
        .join(Submission, Score.submission_id == Submission.id)
        .join(ScoringVersion, Score.scoring_version_id == ScoringVersion.id)
    )
    with world.read() as session:
        rows = [tuple(row) for row in session.execute(query)]
    assert len(rows) == len(set(rows))
    return set(rows)


def complete(names: list[str], numbers: int) -> set[tuple[str, int, str]]:
    return {
        (f"image of {name}", number, dataset)
        for name in names
        for number in range(1, numbers + 1)
        for dataset in ("brain", "abdom")
    }


def test_a_scoring_run_writes_figures_under_every_version_and_ranks(
    any_world: World, bench_of: BenchOf
) -> None:
    any_world.challenge()
    row, _ = evaluated(any_world, "blue", any_world.person("anna"), absent=[0])
    rescoring.add_version(any_world.platform.database, drafted(any_world))
    assert evaluation.run(bench_of(any_world, FakeEngine()), claimed(any_world))
    with any_world.read() as session:
        assert session.get_one(Submission, row.id).state == "ranked"
    assert scored(any_world) == complete(["blue"], 2)


def test_a_version_that_comes_up_while_a_run_is_scored_is_not_left_out(
    any_world: World, bench_of: BenchOf
) -> None:
    any_world.challenge()
    evaluated(any_world, "blue", any_world.person("anna"))
    bench, lease, draft = bench_of(any_world, FakeEngine()), claimed(any_world), drafted(any_world)
    worker = threading.Thread(target=evaluation.run, args=(bench, lease))
    with any_world.write() as session:
        versions.lock(session, "demo")
        versions.add(session, draft)
        worker.start()  # sees the first version only, and has to wait before it writes
        worker.join(0.5)
        assert worker.is_alive()
    worker.join()
    assert scored(any_world) == complete(["blue"], 2)


def test_a_run_that_is_scored_while_a_version_is_computed_is_not_left_out(
    any_world: World, bench_of: BenchOf
) -> None:
    any_world.challenge()
    anna = any_world.person("anna")
    ranked(any_world, "green", anna)
    evaluated(any_world, "blue", anna)
    bench, lease = bench_of(any_world, FakeEngine()), claimed(any_world)

    def meanwhile(done: int, total: int) -> None:
        worker = threading.Thread(target=evaluation.run, args=(bench, lease))
        worker.start()
        worker.join()

    rescoring.add_version(any_world.platform.database, drafted(any_world), meanwhile)
    assert scored(any_world) == complete(["green", "blue"], 2)


def test_no_score_is_lost_when_workers_and_rescorings_run_all_at_once(
    any_world: World, bench_of: BenchOf
) -> None:
    any_world.challenge()
    anna, names = any_world.person("anna"), [f"team {number}" for number in range(5)]
    ranked(any_world, "first", anna)
    for name in names:
        evaluated(any_world, name, anna)
    work = [(bench_of(any_world, FakeEngine()), claimed(any_world)) for _ in names]
    drafts = [drafted(any_world, f"reason {number}") for number in range(3)]
    start = threading.Barrier(len(work) + len(drafts))

    def carry_out(bench: Bench, lease: Lease) -> bool:
        start.wait()
        return evaluation.run(bench, lease)

    def rescore(draft: ScoringVersion) -> bool:
        start.wait()
        return rescoring.add_version(any_world.platform.database, draft).submissions > 0

    with ThreadPoolExecutor(len(work) + len(drafts)) as pool:
        done = [pool.submit(carry_out, *pair) for pair in work] + [pool.submit(rescore, d) for d in drafts]
        assert all(future.result() for future in done)
    assert scored(any_world) == complete(["first", *names], 4)
