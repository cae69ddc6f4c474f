"""How submissions end, with real containers: one worker serves all of them, each test looks at one."""

import gzip
import subprocess
from collections.abc import Iterator
from pathlib import Path

import docker
import nibabel
import numpy as np
import pytest
from sklearn.metrics import average_precision_score
from sqlalchemy import select

from backend.errors import Conflict
from backend.intake import service as intake
from backend.models.challenge import DatasetVersion
from backend.models.run import Run
from backend.models.score import CaseResult, Score
from backend.models.submission import Submission, Transition
from submissions.contract import Code, general_message
from submissions.engine import Engine
from tests.integration.arena import EACH, ONLY_HIDDEN, SAMPLE, Arena, all_scripts, spec_text
from worker.slots import node_name

SECONDS_PER_CASE = 2
FIRST_ONLY = 'set -e; for file in "$1"/*; do name=${file##*/}; break; done; echo 0.5 > "$2/$name.txt"\n'
HIDDEN_CRASH = ONLY_HIDDEN + f'if [ "$hidden" ]; then {FIRST_ONLY.strip()}; echo "$name is odd"; exit 3; fi\n'
HIDDEN_SLEEP = ONLY_HIDDEN + f'if [ "$hidden" ]; then {FIRST_ONLY.strip()}; sleep 120; fi\n'
HIDDEN_HALF = ONLY_HIDDEN + f'if [ "$hidden" ]; then {FIRST_ONLY.strip()}; exit 0; fi\n'
WRONG_SHAPE = EACH + 'cp /workspace/short.nii.gz "$2/$name"; done\n'


def short_map() -> bytes:
    return gzip.compress(nibabel.Nifti1Image(np.zeros((16, 16, 15), np.float32), np.eye(4)).to_bytes())


def sample_scripts(brain: str, abdom: str = SAMPLE) -> dict[str, str]:
    return {"run_sample_brain.sh": brain, "run_sample_abdom.sh": abdom}


def hand_in(arena: Arena) -> dict[str, str]:
    """All submissions of this file, by name; the one that takes up both test slots comes last."""
    lacking = {"run_sample_brain.sh": SAMPLE}
    crash = 'echo "cannot find weights in $1" >&2; exit 3\n'
    handed_in = {
        "withdrawn": arena.submit(all_scripts()),
        "lost archive": arena.submit(all_scripts()),
        "script missing": arena.submit(lacking),
        "toy crash": arena.submit(sample_scripts(crash), "toy", None),
        "wrong shape": arena.submit(
            {"run_pixel_brain.sh": WRONG_SHAPE}, "toy", None, more={"workspace/short.nii.gz": short_map()}
        ),
        "hidden crash": arena.submit(sample_scripts(HIDDEN_CRASH + SAMPLE)),
        "half": arena.submit(sample_scripts(HIDDEN_HALF + SAMPLE), challenge="strict"),
        "scored": arena.submit(
            sample_scripts(HIDDEN_SLEEP + SAMPLE, HIDDEN_CRASH + SAMPLE), challenge="lenient"
        ),
        "timed out": arena.submit(sample_scripts(HIDDEN_SLEEP + SAMPLE), challenge="strict"),
        "long": arena.submit(sample_scripts(HIDDEN_SLEEP + SAMPLE)),
    }
    arena.cancel(handed_in["withdrawn"])
    lost = arena.submission(handed_in["lost archive"])
    arena.platform.storage.delete(lost.archive_sha256)
    return handed_in


@pytest.fixture(scope="module")
def arena(
    tmp_path_factory: pytest.TempPathFactory, scans: Path, engine: docker.DockerClient
) -> Iterator[Arena]:
    text = spec_text(cases_per_container=4)
    with Arena(tmp_path_factory.mktemp("arena"), scans, spec=text) as arena:
        hurried = {"cases_per_container": 4, "seconds_per_case": SECONDS_PER_CASE}
        arena.variant("strict", missing="reject", **hurried)
        arena.variant("lenient", on_incomplete="score", missing="worst", keep_predictions="true", **hurried)
        yield arena


@pytest.fixture(scope="module")
def ids(arena: Arena) -> dict[str, str]:
    handed_in = hand_in(arena)
    arena.worker(MOODARENA_SLOTS="toy:cpu,test:cpu,test:cpu")
    return handed_in


def runs_of(arena: Arena, submission: str, stage: str) -> list[Run]:
    return arena.rows(Run, submission_id=submission, stage=stage)


def running(arena: Arena, submission: str) -> list[Run]:
    return arena.rows(Run, submission_id=submission, stage="test", state="running")


def failed(arena: Arena, submission: str, code: str) -> Submission:
    ended = arena.final(submission)
    assert (ended.state, ended.failure_code) == ("failed", code), ended.failure_detail
    return ended


def test_what_is_cancelled_before_a_worker_saw_it_is_never_run(arena: Arena, ids: dict[str, str]) -> None:
    assert arena.submission(ids["withdrawn"]).state == "cancelled"
    assert [run.state for run in runs_of(arena, ids["withdrawn"], "verify")] == ["cancelled"]
    assert runs_of(arena, ids["withdrawn"], "toy") == []


def test_a_missing_script_is_named_at_verification(arena: Arena, ids: dict[str, str]) -> None:
    ended = failed(arena, ids["script missing"], "script_missing")
    assert ended.failure_message == (
        "The image has no /workspace/run_sample_abdom.sh. Copy it into the image with `COPY` and build again."
    )
    moves = arena.rows(Transition, submission_id=ended.id)
    assert [(move.before, move.after) for move in moves] == [("", "verify"), ("verify", "failed")]


def test_a_lost_archive_is_tried_three_times_is_our_fault_and_costs_nothing(
    arena: Arena, ids: dict[str, str]
) -> None:
    ended = failed(arena, ids["lost archive"], "platform")
    assert ended.failure_ours
    assert ended.failure_message == general_message(Code.PLATFORM)
    assert "restore it" in str(ended.failure_detail)
    assert [run.attempt for run in runs_of(arena, ended.id, "verify")] == [3]
    with arena.platform.database.read() as session:
        row = session.get_one(Submission, ended.id)
        counted = select(Submission.id).filter_by(challenge_id="demo", kind="counted", task="sample")
        free = 2  # this one and the one that was withdrawn
        used = intake.quota(session, row.challenge.spec, row.team, "sample").used
        assert used == len(session.scalars(counted).all()) - free


def test_a_crash_on_toy_cases_shows_its_log(arena: Arena, ids: dict[str, str]) -> None:
    ended = failed(arena, ids["toy crash"], "crashed")
    assert str(ended.failure_message).startswith("The container ended with exit code 3:")
    logs = [run.log for run in runs_of(arena, ended.id, "toy") if run.state == "failed"]
    assert logs == ["cannot find weights in /mnt/data\n"]


def test_a_wrong_shape_on_toy_cases_is_told_in_slices(arena: Arena, ids: dict[str, str]) -> None:
    ended = failed(arena, ids["wrong shape"], "wrong_shape")
    told = "toy_0.nii.gz: 15 slices written, 16 expected (and 3 more like it)."
    assert ended.failure_message == told
    results = arena.rows(CaseResult, submission_id=ended.id)
    assert [result.outcome for result in results] == ["wrong_shape"] * 4


def test_a_crash_on_hidden_cases_tells_its_owner_nothing_of_them(arena: Arena, ids: dict[str, str]) -> None:
    ended = failed(arena, ids["hidden crash"], "crashed")
    assert ended.failure_message == general_message(Code.CRASHED)
    run = next(run for run in runs_of(arena, ended.id, "test") if run.state == "failed")
    assert run.failure_message == general_message(Code.CRASHED)
    assert run.log is None
    names = [item["name"] for item in run.cases]
    for detail in (str(run.failure_detail), str(ended.failure_detail)):
        assert "exit code 3" in detail
        assert any(f"{name} is odd" in detail for name in names)


def test_a_prediction_that_is_missing_fails_where_the_challenge_rejects_it(
    arena: Arena, ids: dict[str, str]
) -> None:
    ended = failed(arena, ids["half"], "missing_predictions")
    assert ended.failure_message == general_message(Code.MISSING_PREDICTIONS)
    assert "not written" in str(ended.failure_detail)


def test_time_is_over_after_cases_times_seconds(arena: Arena, ids: dict[str, str]) -> None:
    ended = failed(arena, ids["timed out"], "timed_out")
    assert ended.failure_message == general_message(Code.TIMED_OUT)
    run = next(run for run in runs_of(arena, ended.id, "test") if run.state == "failed")
    limit = len(run.cases) * SECONDS_PER_CASE
    assert limit <= run.wall_seconds < limit + 10


def test_cases_without_output_are_scored_as_the_challenge_says(arena: Arena, ids: dict[str, str]) -> None:
    ended = arena.final(ids["scored"])
    assert ended.state == "ranked", ended.failure_detail
    scores = {row.dataset: row for row in arena.rows(Score, submission_id=ended.id, stage="test")}
    assert scores["brain"].outcomes == {"scored": 2, "timed_out": 4}
    assert scores["abdom"].outcomes == {"scored": 2, "crashed": 4}
    for dataset, score in scores.items():
        labels, given = labelled(arena, ended.id, dataset)
        assert score.average_precision == pytest.approx(average_precision_score(labels, given), abs=1e-12)


def labelled(arena: Arena, submission: str, dataset: str) -> tuple[list[int], list[float]]:
    """Labels, and scores with the wrong extreme where there is none."""
    manifest = arena.rows(DatasetVersion, challenge_id="lenient", name=dataset)[0].manifest
    label_of = {case.id: int(case.label or 0) for case in manifest.cases}
    results = arena.rows(CaseResult, submission_id=submission, stage="test", dataset=dataset)
    labels = [label_of[result.case_id] for result in results]
    absent = [1.0 - label for label in labels]
    return labels, [
        wrong if result.score is None else result.score for result, wrong in zip(results, absent, strict=True)
    ]


def test_predictions_stay_where_the_challenge_keeps_them(arena: Arena, ids: dict[str, str]) -> None:
    arena.final(ids["scored"])
    kept = arena.settings.data / "predictions" / ids["scored"] / "sample"
    for dataset in ("brain", "abdom"):
        results = arena.rows(CaseResult, submission_id=ids["scored"], stage="test", dataset=dataset)
        expected = {f"{row.case_id}.nii.gz.txt" for row in results if row.outcome == "scored"}
        assert {file.name for file in (kept / dataset).iterdir()} == expected
    assert [folder.name for folder in kept.parent.parent.iterdir() if any(folder.iterdir())] == [
        ids["scored"]
    ]


def test_a_toy_submission_does_not_wait_for_a_long_test_run_which_can_be_cancelled(
    arena: Arena, ids: dict[str, str]
) -> None:
    arena.until(lambda: len(running(arena, ids["long"])) == 2, "both test slots to be taken")
    run = running(arena, ids["long"])[0]
    arena.until(lambda: arena.has_container(run), "its container")
    toy = arena.submit(all_scripts(), "toy", None)
    ended = arena.final(toy)
    assert ended.state == "finished", ended.failure_detail
    assert len(arena.rows(Score, submission_id=toy, stage="toy")) == 4
    assert len(running(arena, ids["long"])) == 2
    arena.cancel(ids["long"])
    assert arena.submission(ids["long"]).state == "cancelled"
    arena.until(lambda: not arena.has_container(run), "the container to go")
    arena.until(lambda: not running(arena, ids["long"]), "the runs to end")
    assert {run.state for run in runs_of(arena, ids["long"], "test")} == {"cancelled"}


@pytest.mark.parametrize("name", ["scored", "hidden crash"])
def test_what_is_over_cannot_be_cancelled(arena: Arena, ids: dict[str, str], name: str) -> None:
    state = arena.final(ids[name]).state
    with pytest.raises(Conflict, match=state):
        arena.cancel(ids[name])


def test_a_second_worker_on_the_same_folder_is_refused_and_says_so(arena: Arena, ids: dict[str, str]) -> None:
    second = arena.worker(MOODARENA_SLOTS="toy:cpu")
    arena.until(lambda: "ended with 1; starting it again" in arena.log(), "the second worker to give up")
    assert "another worker serves this slot" in arena.log()
    second.terminate()
    second.wait(timeout=60)


def test_time_and_memory_are_recorded_and_nothing_of_a_run_stays(arena: Arena, ids: dict[str, str]) -> None:
    for submission in ids.values():
        arena.final(submission)
    arena.until(lambda: not arena.rows(Run, state="running"), "the last run to end")
    ran = [run for run in arena.rows(Run, state="done") if run.stage in ("toy", "test")]
    assert all(run.wall_seconds is not None for run in ran)
    # A container that is gone before the first look has no memory that could be told.
    lasting = [run for run in ran if run.wall_seconds > 1]
    assert {run.stage for run in lasting} >= {"test"}
    assert all((run.peak_memory or 0) > 100_000 for run in lasting)
    engine = Engine(namespace=node_name(arena.settings))
    assert arena.jobs() == set()
    assert engine.volumes() == []
    kept = [path.name for path in (arena.settings.data / "work").iterdir()]
    assert kept == ["masks"], "a node keeps the masks of the hidden cases, and nothing of a run"
    told = subprocess.run(["/usr/sbin/losetup", "-a"], capture_output=True, text=True, check=True)
    assert str(arena.settings.data) not in told.stdout
