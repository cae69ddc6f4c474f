"""From results per case to figures: nothing is dropped, what is missing scores as the challenge says."""

from typing import Any, Literal

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from backend.models.run import Run
from backend.models.score import CaseResult, Score
from backend.models.scoring import ScoringVersion
from backend.models.submission import Submission
from backend.results import figures, versions
from scoring.histograms import absent_histogram, voxel_histogram
from tests.unit.backend.world import World

HIDDEN = [f"hidden{number}brain" for number in range(4)]  # labels 0, 1, 0, 1


def on_hidden(world: World, task: str, **challenge: str) -> tuple[Submission, Run]:
    world.challenge(**challenge)
    user = world.person("anna")
    row = world.submission(world.team("blue", user), user, kind="counted", task=task, state="score")
    return row, world.run(row, "test", task=task, dataset="brain", state="done")


def result(run: Run, case: str, outcome: str = "scored", **values: Any) -> CaseResult:
    return CaseResult(
        run_id=run.id,
        submission_id=run.submission_id,
        stage=run.stage,
        task=run.task,
        dataset=run.dataset,
        case_id=case,
        outcome=outcome,
        **values,
    )


def score(world: World, row: Submission, run: Run) -> Score:
    with world.read() as session:
        known = versions.everything(session, row.challenge_id)
        found = figures.score(session, session.get_one(Submission, row.id), known, run.id)
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize("missing", ["zero", "worst"])
def test_a_missing_abnormal_case_scores_zero_under_either_policy(world: World, missing: str) -> None:
    row, run = on_hidden(world, "sample", missing=missing)
    world.add(result(run, HIDDEN[0], score=0.4), result(run, HIDDEN[1], "missing"))
    world.add(result(run, HIDDEN[2], score=0.2), result(run, HIDDEN[3], score=0.9))
    figure = score(world, row, run)
    expected = average_precision_score([0, 1, 0, 1], [0.4, 0, 0.2, 0.9])
    assert figure.average_precision == pytest.approx(expected, abs=1e-12)
    assert figure.outcomes == {"scored": 3, "missing": 1}


def test_a_missing_normal_case_scores_the_wrong_extreme_under_worst(world: World) -> None:
    row, run = on_hidden(world, "sample", missing="worst")
    world.add(result(run, HIDDEN[0], "crashed"), result(run, HIDDEN[1], score=0.9))
    world.add(result(run, HIDDEN[2], "timed_out"), result(run, HIDDEN[3], score=0.8))
    figure = score(world, row, run)
    assert figure.average_precision == pytest.approx(average_precision_score([0, 1, 0, 1], [1, 0.9, 1, 0.8]))
    assert figure.outcomes == {"scored": 2, "crashed": 1, "timed_out": 1}


def test_voxels_are_scored_per_batch_of_the_manifest_and_averaged(world: World) -> None:
    row, run = on_hidden(world, "pixel", missing="zero")
    rng = np.random.default_rng(3)
    masks = [rng.random((16, 16, 16)) > 0.9 for _ in HIDDEN]
    maps = [np.float16(rng.random((16, 16, 16)) * 0.5 + 0.3 * mask) for mask in masks]
    for case, scores, mask in zip(HIDDEN[:3], maps, masks, strict=False):
        world.add(result(run, case, statistic=voxel_histogram(scores, mask).to_bytes()))
    world.add(result(run, HIDDEN[3], "missing", statistic=absent_histogram(masks[3], "zero").to_bytes()))
    truth = np.concatenate([mask.ravel() for mask in masks])
    given = np.concatenate([scores.ravel() for scores in [*maps[:3], np.zeros_like(maps[3])]])
    figure = score(world, row, run)
    # The world's manifest has one batch, in both arrangements.
    assert figure.average_precision == pytest.approx(average_precision_score(truth, given), abs=1e-12)
    assert figure.validation == figure.average_precision


def test_a_score_is_never_made_of_too_few_or_too_many_results(world: World) -> None:
    row, run = on_hidden(world, "sample")
    world.add(*(result(run, case, score=0.5) for case in HIDDEN[:3]))
    with pytest.raises(ValueError, match="1 results lack or are too many"):
        score(world, row, run)
    world.add(result(run, HIDDEN[3], score=0.5), result(run, "toy0brain", score=0.5))
    with pytest.raises(ValueError, match="1 results lack or are too many"):
        score(world, row, run)


def test_a_figure_that_is_undefined_says_why(world: World) -> None:
    row, run = on_hidden(world, "pixel")
    nothing = absent_histogram(np.zeros((16, 16, 16), np.bool_), "zero").to_bytes()
    world.add(*(result(run, case, statistic=nothing) for case in HIDDEN))
    figure = score(world, row, run)
    assert figure.average_precision is None
    assert "positive" in str(figure.undefined_because)


@pytest.mark.parametrize("stored", ["zero", "worst"])
@pytest.mark.parametrize("missing", ["zero", "worst"])
def test_the_policy_is_applied_when_scoring_whatever_was_stored(
    world: World, missing: str, stored: Literal["zero", "worst"]
) -> None:
    row, run = on_hidden(world, "pixel", missing=missing)
    rng = np.random.default_rng(5)
    masks = [rng.random((16, 16, 16)) > 0.9 for _ in HIDDEN]
    maps = [np.float16(rng.random((16, 16, 16)) * 0.9) for _ in masks]
    for case, scores, mask in zip(HIDDEN[:3], maps, masks, strict=False):
        world.add(result(run, case, statistic=voxel_histogram(scores, mask).to_bytes()))
    world.add(result(run, HIDDEN[3], "crashed", statistic=absent_histogram(masks[3], stored).to_bytes()))
    filled = np.zeros_like(maps[3]) if missing == "zero" else np.float16(~masks[3])
    truth = np.concatenate([mask.ravel() for mask in masks])
    given = np.concatenate([scores.ravel() for scores in [*maps[:3], filled]])
    figure = score(world, row, run)
    assert figure.average_precision == pytest.approx(average_precision_score(truth, given), abs=1e-12)


@pytest.mark.parametrize("task", ["sample", "pixel"])
def test_a_submission_with_an_absent_case_is_rejected_and_told_why(world: World, task: str) -> None:
    row, run = on_hidden(world, task, missing="reject")
    nothing = absent_histogram(np.ones((4, 4, 4), np.bool_), "zero").to_bytes()
    values = {"score": 0.5, "statistic": nothing}
    world.add(*(result(run, case, **values) for case in HIDDEN[:2]))
    world.add(*(result(run, case, "missing", statistic=nothing) for case in HIDDEN[2:]))
    figure = score(world, row, run)
    assert (figure.average_precision, figure.validation) == (None, None)
    told = "2 cases have no usable prediction, and this challenge rejects such submissions"
    assert figure.undefined_because == told
    assert figures.rejection(1).startswith("1 case has no usable prediction")
    assert figure.outcomes == {"scored": 2, "missing": 2}


def test_a_task_that_a_version_does_not_know_has_no_figures_under_it(world: World) -> None:
    row, run = on_hidden(world, "sample")
    world.add(*(result(run, case, score=0.5) for case in HIDDEN))
    with world.read() as session:
        stranger = ScoringVersion(challenge_id="demo", policy={})
        submission = session.get_one(Submission, row.id)
        assert figures.score(session, submission, [stranger], run.id) == []
