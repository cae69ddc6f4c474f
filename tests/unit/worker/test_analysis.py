"""Runs on analysis sets: they come last, count for nothing, and harm nobody, whatever happens in them."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from backend.db import now
from backend.errors import Conflict, NotFound
from backend.intake import analysing, operations
from backend.intake import service as intake
from backend.intake.planning import current_version
from backend.models.challenge import DatasetVersion
from backend.models.run import Outbox, Run
from backend.models.score import CaseResult
from backend.models.submission import Submission, Transition
from backend.models.user import User
from submissions.contract import Code, failure
from submissions.fake_engine import Behaviour, FakeEngine
from tests.unit.backend.world import World
from tests.unit.worker.conftest import SLOT, BenchOf
from worker import evaluation, leases, stages
from worker.leases import Lease, LeaseLost
from worker.sweep import Janitor

DATASETS = ("brain", "abdom")
OURS = failure(Code.PLATFORM, detail="the disk burned")
RNG_SEED = 3
ARCHIVE = hashlib.sha256(b"archive").hexdigest()


def scripts(*datasets: str) -> list[str]:
    return [f"/workspace/run_sample_{dataset}.sh" for dataset in datasets]


def about_to_rank(world: World, name: str = "anna", datasets: tuple[str, ...] = DATASETS) -> Submission:
    """A submission of which everything is done but the last step."""
    user = world.person(name)
    row = world.submission(
        world.team(f"team of {name}", user), user, kind="counted", task="sample", state="score",
        scripts=scripts(*datasets),
    )  # fmt: skip
    world.run(row, "score", state="done")
    return row


def advance(world: World, submission: Submission, seed: int = RNG_SEED) -> None:
    with world.write() as session:
        stages.advance(session, session.get_one(Submission, submission.id), np.random.default_rng(seed))


@pytest.fixture
def challenged(any_world: World) -> World:
    any_world.challenge(cases_per_container="4")
    any_world.analysis_sets()
    return any_world


@pytest.fixture
def analysed(world: World) -> tuple[World, Submission, FakeEngine]:
    """A ranked submission with its image loaded, four runs of brain cases waiting."""
    world.challenge(cases_per_container="4", keep_predictions="true")
    world.analysis_sets()
    engine = FakeEngine()
    row = about_to_rank(world, datasets=("brain",))
    world.platform.storage.put(iter([b"archive"]))
    image = engine.load(world.platform.storage.path(ARCHIVE))
    world.set(row, archive_sha256=ARCHIVE, image_id=image)
    advance(world, row)
    return world, row, engine


def runs_of(world: World, submission: Submission) -> list[Run]:
    with world.read() as session:
        query = select(Run).filter_by(submission_id=submission.id, stage="analysis").order_by(Run.id)
        return list(session.scalars(query))


def state_of(world: World, submission: Submission) -> Submission:
    with world.read() as session:
        return session.get_one(Submission, submission.id)


def claimed(world: World, worker: str = SLOT) -> Lease:
    with world.write() as session:
        lease = leases.claim(session, "test", worker, 100)
    assert lease is not None
    return lease


def predict(source: Path, output: Path) -> None:
    for case in source.iterdir():
        (output / f"{case.name}.txt").write_text("0.5")


def predict_one(source: Path, output: Path) -> None:
    (output / f"{min(case.name for case in source.iterdir())}.txt").write_text("0.5")


# --- planning ---


def test_a_ranked_submission_is_run_on_the_analysis_sets_of_its_task_under_opaque_names(
    challenged: World,
) -> None:
    row = about_to_rank(challenged)
    advance(challenged, row)
    assert state_of(challenged, row).state == "ranked"
    runs = runs_of(challenged, row)
    assert {(run.task, run.dataset, run.dataset_version) for run in runs} == {
        ("sample", dataset, "v1") for dataset in DATASETS
    }
    for dataset in DATASETS:
        items = [item for run in runs if run.dataset == dataset for item in run.cases]
        assert [len(run.cases) for run in runs if run.dataset == dataset] == [4, 4, 4, 1]
        assert sorted(item["id"] for item in items) == sorted(f"aloof{n}{dataset}" for n in range(13))
        assert [item["id"] for item in items] != [f"aloof{n}{dataset}" for n in range(13)]
        assert all(len(item["name"]) == 16 + 7 and "aloof" not in item["name"] for item in items)
    with challenged.read() as session:
        assert session.scalars(select(Outbox.lane)).all() == ["test"]
        assert [move.after for move in session.scalars(select(Transition))][-1] == "ranked"


def test_a_global_anomaly_is_no_case_of_a_task_with_masks(challenged: World) -> None:
    row = about_to_rank(challenged)
    pixel = [f"/workspace/run_pixel_{dataset}.sh" for dataset in DATASETS]
    challenged.set(row, task="pixel", scripts=pixel)
    advance(challenged, row)
    ids = {item["id"] for run in runs_of(challenged, row) for item in run.cases}
    with challenged.read() as session:
        version = current_version(session, "demo", "brain")
        [whole] = [case.id for case in version.manifest.cases if case.category == "global"]
    assert len(ids) == 12 * 2
    assert whole not in ids


def test_without_analysis_sets_and_for_what_does_not_count_nothing_is_planned(any_world: World) -> None:
    any_world.challenge()
    row = about_to_rank(any_world)
    advance(any_world, row)
    assert state_of(any_world, row).state == "ranked"
    any_world.analysis_sets()
    user = any_world.person("bert")
    toy = any_world.submission(any_world.team("b", user), user, state="score", scripts=scripts(*DATASETS))
    advance(any_world, toy)
    assert state_of(any_world, toy).state == "finished"
    with any_world.read() as session:
        assert session.scalars(select(Run.id).filter_by(stage="analysis")).all() == []
        assert session.scalars(select(Outbox.id)).all() == []


def test_everybodys_other_runs_are_claimed_first_however_late_they_came(challenged: World) -> None:
    row = about_to_rank(challenged)
    advance(challenged, row)
    later = about_to_rank(challenged, "bert")
    challenged.set(later, state="toy")
    advance(challenged, later)
    with challenged.read() as session:
        tests = session.scalars(select(Run.id).filter_by(stage="test").order_by(Run.id)).all()
    assert [claimed(challenged).run_id for _ in tests] == list(tests)
    assert claimed(challenged).run_id == runs_of(challenged, row)[0].id


# --- whatever happens ---


def test_a_run_of_a_dead_worker_is_tried_again_and_when_tries_are_used_up_only_it_fails(
    challenged: World,
) -> None:
    row = about_to_rank(challenged)
    advance(challenged, row)
    first = runs_of(challenged, row)[0]
    settings = challenged.platform.settings
    for attempt in range(1, settings.max_attempts + 1):
        lease = claimed(challenged)
        assert lease.run_id == first.id
        with challenged.write() as session:
            session.get_one(Run, first.id).lease_until = now() - 1
        with challenged.write() as session:
            assert leases.requeue_expired(session, settings) == 1
        found = runs_of(challenged, row)[0]
        assert found.state == ("waiting" if attempt < settings.max_attempts else "failed")
    assert found.failure_code == "platform"
    assert "fell silent" in str(found.failure_detail)
    assert state_of(challenged, row).state == "ranked"
    assert state_of(challenged, row).failure_code is None
    assert {run.state for run in runs_of(challenged, row)[1:]} == {"waiting"}


def test_a_failure_of_ours_is_tried_again(challenged: World) -> None:
    row = about_to_rank(challenged)
    advance(challenged, row)
    with challenged.write() as session:
        leases.give_back(session, claimed(challenged), OURS, 2)
    assert {run.state for run in runs_of(challenged, row)} == {"waiting"}
    with challenged.write() as session:
        leases.give_back(session, claimed(challenged), OURS, 2)
    assert [run.state for run in runs_of(challenged, row)].count("failed") == 1
    assert state_of(challenged, row).state == "ranked"


def test_results_are_kept_and_a_crash_is_told_per_case_and_in_its_run_only(
    analysed: tuple[World, Submission, FakeEngine], bench_of: BenchOf
) -> None:
    world, row, _ = analysed
    engine = FakeEngine(
        [
            Behaviour(writes=predict),
            Behaviour(exit_code=3, writes=predict_one, log=b"secret\n"),
            Behaviour(writes=predict_one),
            Behaviour(writes=predict),
        ]
    )
    world.set(row, image_id=engine.load(world.platform.storage.path(ARCHIVE)))
    for _ in range(4):
        assert evaluation.run(bench_of(world, engine), claimed(world))
    runs = runs_of(world, row)
    assert [run.state for run in runs] == ["done", "failed", "done", "done"]
    assert runs[1].failure_code == "crashed"
    assert "exit code 3" in str(runs[1].failure_detail)
    assert {run.log for run in runs} == {None}
    with world.read() as session:
        results = session.scalars(select(CaseResult).order_by(CaseResult.run_id)).all()
    assert {result.stage for result in results} == {"analysis"}
    by_run = [sorted(one.outcome for one in results if one.run_id == run.id) for run in runs]
    assert by_run == [["scored"] * 4, ["crashed"] * 3 + ["scored"], ["missing"] * 3 + ["scored"], ["scored"]]
    ended = state_of(world, row)
    assert (ended.state, ended.failure_code) == ("ranked", None)
    kept = world.platform.storage.scratch("predictions")
    assert not any(path.is_file() for path in kept.rglob("*"))


def test_an_image_that_is_gone_with_its_archive_harms_nothing_but_its_runs(
    analysed: tuple[World, Submission, FakeEngine], bench_of: BenchOf
) -> None:
    world, row, engine = analysed
    assert engine.remove_image(str(state_of(world, row).image_id))
    world.platform.storage.delete(ARCHIVE)
    assert not evaluation.run(bench_of(world, engine), claimed(world))
    assert [run.failure_code for run in runs_of(world, row)] == ["platform", None, None, None]
    assert {run.state for run in runs_of(world, row)} == {"waiting"}
    assert state_of(world, row).state == "ranked"


def test_the_image_stays_while_analysis_runs_wait_and_goes_when_they_are_over(
    analysed: tuple[World, Submission, FakeEngine],
) -> None:
    world, row, engine = analysed
    janitor = Janitor(world.platform, engine)
    janitor.sweep()
    image = state_of(world, row).image_id
    assert engine.images() == [image]
    for run in runs_of(world, row):
        world.set(run, state="done")
    janitor.sweep()
    assert engine.images() == []


def test_what_is_over_cannot_be_cancelled_and_its_analysis_goes_on(challenged: World) -> None:
    row = about_to_rank(challenged)
    advance(challenged, row)
    with pytest.raises(Conflict, match="ranked"), challenged.write() as session:
        intake.cancel(session, session.get_one(User, row.user_id), row.id)
    assert {run.state for run in runs_of(challenged, row)} == {"waiting"}


def test_a_rerun_ends_the_analysis_and_whoever_is_at_it_can_write_nothing_any_more(challenged: World) -> None:
    row = about_to_rank(challenged)
    advance(challenged, row)
    stored(challenged, row)
    lease = claimed(challenged)
    with challenged.write() as session:
        operations.rerun(session, challenged.platform.storage, row.id, "boss")
    assert runs_of(challenged, row) == []
    with pytest.raises(LeaseLost), challenged.write() as session:
        leases.hold(session, lease)


# --- on demand ---


def analyse(world: World, submission: Submission, again: bool = False) -> int:
    with world.write() as session:
        rng = np.random.default_rng(RNG_SEED)
        return analysing.analyse(session, world.platform.storage, submission.id, rng, again)


def stored(world: World, submission: Submission) -> None:
    """Give the submission an archive that is there."""
    world.platform.storage.put(iter([b"archive"]))
    world.set(submission, archive_sha256=ARCHIVE)


def test_an_operator_has_what_was_ranked_before_analysed_and_only_what_lacks(any_world: World) -> None:
    any_world.challenge(cases_per_container="4")
    row = about_to_rank(any_world)
    advance(any_world, row)
    stored(any_world, row)
    with pytest.raises(Conflict, match="have no analysis sets"):
        analyse(any_world, row)
    any_world.analysis_sets()
    assert analyse(any_world, row) == 8
    assert analyse(any_world, row) == 0
    first, second, third, *rest = runs_of(any_world, row)
    any_world.set(first, state="failed", failure_code="platform", attempt=3, token=3)
    any_world.set(second, state="failed", failure_code="crashed")
    any_world.set(third, state="cancelled", cancel_requested=True)
    for run in rest:
        any_world.set(run, state="done")
    assert analyse(any_world, row) == 2
    again = runs_of(any_world, row)
    assert [run.state for run in again[:3]] == ["waiting", "failed", "waiting"]
    assert (again[0].attempt, again[0].token, again[0].failure_code) == (0, 3, None)
    assert analyse(any_world, row, again=True) == 8
    assert {run.state for run in runs_of(any_world, row)} == {"waiting"}


def test_another_version_of_the_cases_takes_the_place_of_the_older_one(challenged: World) -> None:
    row = about_to_rank(challenged)
    advance(challenged, row)
    stored(challenged, row)
    old = {run.id for run in runs_of(challenged, row) if run.dataset == "abdom"}
    with challenged.write() as session:
        for version in session.scalars(select(DatasetVersion).filter_by(name="abdom")):
            version.version = "v2"
    assert analyse(challenged, row) == 4
    runs = runs_of(challenged, row)
    assert {run.dataset_version for run in runs if run.dataset == "abdom"} == {"v2"}
    assert not old & {run.id for run in runs if run.dataset == "brain"}
    assert len(runs) == 8


def test_what_cannot_be_analysed_is_refused_with_the_reason(challenged: World) -> None:
    row = about_to_rank(challenged)
    with pytest.raises(Conflict, match="this one is score"):
        analyse(challenged, row)
    challenged.set(row, state="ranked")
    with pytest.raises(Conflict, match="archive was deleted"):
        analyse(challenged, row)
    with pytest.raises(NotFound), challenged.write() as session:
        analysing.analyse(session, challenged.platform.storage, "0" * 24, np.random.default_rng(0))
