"""Analysis sets with real containers: after the end, behind everybody, and through the death of a worker."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import docker
import pytest

from backend.models.challenge import Challenge, DatasetVersion
from backend.models.run import Run
from backend.models.score import CaseResult, Score
from backend.models.submission import Transition
from backend.results.study import study_of
from scoring.report.analysis import analyse
from submissions.engine import Engine
from submissions.sweep import sweep
from tests.integration.arena import ONLY_HIDDEN, SAMPLE, Arena, all_scripts, analysed_spec_text
from worker.bench import WORK
from worker.slots import node_name

SLOW = all_scripts(ONLY_HIDDEN + '[ -z "$hidden" ] || sleep 1\n' + SAMPLE)
SETS = {"proxy": 2, "size-series": 2, "contrast-series": 3, "equal-counts": 10}
CASES = sum(SETS.values())


@pytest.fixture
def arena(tmp_path: Path, analysed_scans: Path, engine: docker.DockerClient) -> Iterator[Arena]:
    with Arena(tmp_path, analysed_scans, spec=analysed_spec_text(cases_per_container=6)) as opened:
        yield opened


def analysis_runs(arena: Arena, submission: str) -> list[Run]:
    return arena.rows(Run, submission_id=submission, stage="analysis")


def analysed(arena: Arena, submission: str) -> list[Run]:
    """Wait until every analysis run is over; the runs."""

    def over() -> bool:
        return all(run.state not in ("waiting", "running") for run in analysis_runs(arena, submission))

    arena.until(lambda: bool(analysis_runs(arena, submission)) and over(), "the analysis runs to end")
    return analysis_runs(arena, submission)


def assert_analysed_once_and_ranked_as_before(arena: Arena, submission: str) -> None:
    assert {run.state for run in analysed(arena, submission)} == {"done"}
    results = arena.rows(CaseResult, submission_id=submission, stage="analysis")
    assert [result.outcome for result in results] == ["scored"] * 2 * CASES
    expected = {
        (version.name, case.id)
        for version in arena.rows(DatasetVersion, challenge_id="demo")
        for case in version.manifest.cases_of("analysis", "sample")
    }
    assert {(result.dataset, result.case_id) for result in results} == expected
    assert arena.submission(submission).state == "ranked"
    assert arena.rows(Transition, submission_id=submission)[-1].after == "ranked"
    assert {score.stage for score in arena.rows(Score, submission_id=submission)} == {"toy", "test"}


def test_a_ranked_submission_is_analysed_while_others_test_runs_go_first(arena: Arena) -> None:
    arena.worker()
    first = arena.submit(SLOW)
    assert arena.final(first).state == "ranked"
    assert {(run.lane, run.priority) for run in analysis_runs(arena, first)} == {("test", 100)}
    second = arena.submit(SLOW)
    assert arena.final(second).state == "ranked"
    assert_analysed_once_and_ranked_as_before(arena, first)
    tests = arena.rows(Run, submission_id=second, stage="test")
    planned, started = tests[0].created_at, max(run.started_at for run in tests)
    moments = [run.started_at for run in analysis_runs(arena, first)]
    assert not [moment for moment in moments if planned < moment < started]
    assert max(moments) > started, "the first one's analysis was over before the second one was tested"
    assert_analysed_once_and_ranked_as_before(arena, second)
    with arena.platform.database.read() as session:
        found = analyse(study_of(session, session.get_one(Challenge, "demo")))["tasks"][0]["analysis"]
    for dataset in ("brain", "abdom"):
        told = {name: one["analysed"] for name, one in found["datasets"][dataset].items()}
        assert told == {name: [count] for name, count in SETS.items()}


def test_a_worker_killed_in_an_analysis_run_costs_that_run_an_attempt_at_most(arena: Arena) -> None:
    worker = arena.worker()
    submission = arena.submit(SLOW)
    assert arena.final(submission).state == "ranked"

    def running() -> list[Run]:
        return arena.rows(Run, submission_id=submission, stage="analysis", state="running")

    arena.until(lambda: any(arena.has_container(run) for run in running()), "a container of an analysis run")
    arena.kill(worker)
    assert arena.submission(submission).state == "ranked"
    arena.worker()
    assert_analysed_once_and_ranked_as_before(arena, submission)


def test_a_node_that_lost_the_image_loads_it_again_from_the_archive(arena: Arena) -> None:
    worker = arena.worker()
    submission = arena.submit(SLOW)
    assert arena.final(submission).state == "ranked"
    arena.kill(worker)
    engine = Engine(namespace=node_name(arena.settings))
    folder = arena.settings.data / WORK
    sweep(engine, folder, needed=(), needed_images=(), young=timedelta(0))
    image = str(arena.submission(submission).image_id)
    assert not engine.image_exists(image)
    arena.worker()
    assert_analysed_once_and_ranked_as_before(arena, submission)
