"""A report follows from the stored statistics, says why where there is nothing to say, and names no case."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from scoring.aggregate import mean_over_batches
from scoring.dice import best_dice, dice_at
from scoring.histograms import VoxelHistogram
from scoring.ranking import consensus, places
from scoring.report.analysis import analyse
from scoring.report.document import to_json
from scoring.report.page import to_html
from scoring.report.study import Part, Predictions, Study, TaskStudy
from tests.unit.scoring.report.studies import entrants, study, task

ROOT = Path(__file__).parents[4]
LEVELS = ("case", "voxel")
TWICE = """
import sys
from scoring.report.analysis import analyse
from scoring.report.document import to_json
from scoring.report.page import to_html
from tests.unit.scoring.report.studies import analysis_sets, study, task
tasks = [task(level, analysis=analysis_sets(level, "brain")) for level in ("case", "voxel")]
document = analyse(study(*tasks))
sys.stdout.buffer.write(to_json(document) + to_html(document))
"""


@pytest.fixture(scope="module")
def whole() -> dict[str, Any]:
    return analyse(study(task("case"), task("voxel")))


def told(document: dict[str, Any], slug: str) -> dict[str, Any]:
    return next(one for one in document["tasks"] if one["slug"] == slug)


def results(document: dict[str, Any], slug: str, dataset: str, stage: str = "test") -> dict[str, Any]:
    return next(
        one for one in told(document, slug)["results"] if (one["dataset"], one["stage"]) == (dataset, stage)
    )


def with_part(given: TaskStudy, stage: str, dataset: str, **changed: Any) -> TaskStudy:
    parts = [replace(one, **changed) if one.dataset == dataset else one for one in getattr(given, stage)]
    return replace(given, **{stage: parts})


def without(part: Part, submission: str) -> dict[str, Predictions]:
    return {name: found for name, found in part.predictions.items() if name != submission}


# --- the same statistics, the same bytes ---


def test_two_processes_with_other_orders_of_sets_make_the_same_bytes() -> None:
    running = [
        subprocess.Popen(
            [sys.executable, "-c", TWICE],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            stdout=subprocess.PIPE,
        )
        for seed in ("1", "2")
    ]
    made = [process.communicate()[0] for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert made[0] == made[1]
    assert len(made[0]) > 100_000


def test_another_task_changes_no_figure_of_the_first(whole: dict[str, Any]) -> None:
    alone = analyse(study(task("voxel")))
    assert told(alone, "pixel") == told(whole, "pixel")


def test_another_seed_draws_other_bootstraps_and_leaves_the_results_alone(whole: dict[str, Any]) -> None:
    other = analyse(study(task("case"), seed=8))
    before, after = told(whole, "sample"), told(other, "sample")
    assert before["results"] == after["results"]
    assert before["uncertainty"] != after["uncertainty"]


def test_the_document_survives_json_without_rounding(whole: dict[str, Any]) -> None:
    assert json.loads(to_json(whole)) == json.loads(json.dumps(whole))


def test_no_case_is_named_anywhere(whole: dict[str, Any]) -> None:
    for content in (to_json(whole), to_html(whole)):
        assert b"secret-" not in content


# --- figures are those of the metrics ---


def test_case_level_average_precision_is_that_of_scikit_learn(whole: dict[str, Any]) -> None:
    given = task("case").test[0]
    for index, entrant in enumerate(told(whole, "sample")["entrants"]):
        found = given.predictions[entrant["submission"]]
        labels = [one.label for one in given.cases]
        scores = [found.scores[one.id] for one in given.cases]
        reached = results(whole, "sample", "brain")["entrants"][index]["average_precision"]
        assert reached["value"] == pytest.approx(average_precision_score(labels, scores), abs=1e-12)
        assert reached["positive_share"] == 0.5


def test_voxel_level_figures_are_sums_of_histograms(whole: dict[str, Any]) -> None:
    given = task("voxel").test[1]
    entrant = told(whole, "pixel")["entrants"][0]["submission"]
    found, reached = given.predictions[entrant], results(whole, "pixel", "abdom")["entrants"][0]
    pooled = sum((found.histograms[one.id] for one in given.cases[1:]), found.histograms[given.cases[0].id])
    assert reached["average_precision"]["value"] == mean_over_batches(found.histograms, given.arrangements[0])
    assert reached["average_precision_validation"]["value"] == mean_over_batches(
        found.histograms, given.arrangements[1]
    )
    assert reached["average_precision_over_dataset"]["value"] == pooled.average_precision()
    assert (reached["best_dice"]["value"], reached["best_dice"]["threshold"]) == best_dice(pooled)


def test_every_voxel_level_average_precision_stands_beside_its_positive_share(whole: dict[str, Any]) -> None:
    for dataset in ("brain", "abdom"):
        for reached in results(whole, "pixel", dataset)["entrants"]:
            shares = {
                name: figure["positive_share"]
                for name, figure in reached.items()
                if name.startswith("average_precision")
            }
            assert len(shares) == 5
            assert shares["average_precision_over_dataset"] == pytest.approx(6 / 216)
            assert shares["average_precision_per_case_mean"] == pytest.approx(12 / 216)


def test_the_threshold_comes_from_the_toy_cases(whole: dict[str, Any]) -> None:
    given = task("voxel")
    entrant = told(whole, "pixel")["entrants"][1]["submission"]
    toy, test = (
        _pooled(next(one for one in parts if one.dataset == "brain"), entrant)
        for parts in (given.toy, given.test)
    )
    threshold = best_dice(toy)[1]
    reached = results(whole, "pixel", "brain")["entrants"][1]["dice_at_toy_threshold"]
    assert (reached["threshold"], reached["value"]) == (threshold, dice_at(test, threshold))


def _pooled(part: Part, submission: str) -> VoxelHistogram:
    counted = [part.predictions[submission].histograms[one.id] for one in part.cases]
    return sum(counted[1:], counted[0])


def test_objects_are_pooled_at_the_best_of_the_challenges_thresholds(whole: dict[str, Any]) -> None:
    reached = results(whole, "pixel", "brain")["entrants"][0]["object_f1"]
    assert reached["threshold"] in (0.25, 0.5)
    false = {0.25: 48, 0.5: 24}[reached["threshold"]]
    assert (reached["found"], reached["false"], reached["overlooked"]) == (12, false, 0)
    assert reached["value"] == 24 / (24 + false)


def test_places_and_consensus_are_those_of_the_board(whole: dict[str, Any]) -> None:
    for slug in ("sample", "pixel"):
        ranking = told(whole, slug)["ranking"]
        for dataset, placed in ranking["places"].items():
            values = [one["average_precision"]["value"] for one in results(whole, slug, dataset)["entrants"]]
            assert placed == places(values)
        assert ranking["consensus"] == consensus(ranking["places"]) == sorted(ranking["consensus"])
        assert ranking["methods"][0]["places"] == ranking["consensus"]


def test_what_absent_cases_cost_is_told_under_every_policy(whole: dict[str, Any]) -> None:
    index = [one["team"] for one in told(whole, "pixel")["entrants"]].index("Cleo")
    outcomes = results(whole, "pixel", "brain")["outcomes"]
    assert outcomes[index]["counts"] == {"crashed": 1, "scored": 23}
    cost = {name: figure["value"] for name, figure in outcomes[index]["cost"].items()}
    assert cost["as_ranked"] == cost["worst"] < cost["zero"] < cost["left_out"]
    assert all(one["cost"] == {} for place, one in enumerate(outcomes) if place != index)


def test_groups_have_as_many_normal_as_abnormal_cases(whole: dict[str, Any]) -> None:
    groups = told(whole, "sample")["groups"]["brain"]
    assert [one["name"] for one in groups["kind"]["groups"]] == ["blur", "patch", "sphere"]
    assert [one["name"] for one in groups["difficulty"]["groups"]] == ["class 1", "class 2"]
    for grouping in groups.values():
        assert sum(one["abnormal"] for one in grouping["groups"]) == 12
        assert all(one["abnormal"] == one["normal"] for one in grouping["groups"])


def test_bins_tell_sizes_and_contrasts_coarsely() -> None:
    given = task("case")
    cases = [replace(one, size=1234.5678, contrast=0.123456) for one in given.test[0].cases]
    found = analyse(study(with_part(given, "test", "brain", cases=cases)))
    groups = told(found, "sample")["groups"]["brain"]
    assert groups["size"]["groups"][0]["low"] == 1200
    assert groups["contrast"]["groups"][0]["low"] == 0.12
    assert b"0.1234" not in to_json(found)


# --- uncertainty ---


@pytest.mark.parametrize("slug", ["sample", "pixel"])
def test_everybody_has_an_interval_and_the_shares_of_all_places_add_up(
    whole: dict[str, Any], slug: str
) -> None:
    sure = told(whole, slug)["uncertainty"]
    assert sure["bootstraps"] == 100
    np.testing.assert_allclose(np.sum(sure["consensus"]["shares"], axis=1), 1)
    for place, (first, last) in zip(
        told(whole, slug)["ranking"]["consensus"], sure["consensus"]["intervals"], strict=True
    ):
        assert first <= place <= last
    for found in sure["datasets"].values():
        low, high = np.array(found["bootstraps"]["value_intervals"]).T
        assert (low <= high).all()
        adjusted, significant = np.array(found["tests"]["adjusted"]), np.array(found["tests"]["significant"])
        assert (significant == (adjusted < 0.05)).all()


def test_batches_are_tested_by_wilcoxon_and_cases_by_the_bootstrap(whole: dict[str, Any]) -> None:
    by_task = {
        slug: told(whole, slug)["uncertainty"]["datasets"]["brain"]["tests"] for slug in ("sample", "pixel")
    }
    assert (by_task["pixel"]["test"], by_task["pixel"]["n"]) == ("wilcoxon_signed_rank", 6)
    assert (by_task["sample"]["test"], by_task["sample"]["n"]) == ("paired_bootstrap", 600)
    assert by_task["pixel"]["smallest_possible"] == 6 * 0.5**6


def test_with_many_teams_the_draws_are_enough_for_a_significant_difference() -> None:
    teams = ["Anna & sons", *(f"Team {number}" for number in range(6))]
    given = task("case", teams, absent=0)
    for part in given.test:
        found = part.predictions[entrants(teams)[0].submission]
        found.scores.update({one.id: float(one.label) for one in part.cases})
    tests = analyse(study(given))["tasks"][0]["uncertainty"]["datasets"]["brain"]["tests"]
    assert tests["n"] == 100 * 7 * 6
    assert tests["smallest_possible"] < 0.05
    assert sum(tests["significant"][0]) >= 4


def test_leaving_out_a_batch_gives_places_for_every_batch(whole: dict[str, Any]) -> None:
    without_each = told(whole, "pixel")["uncertainty"]["leave_one_batch_out"]["brain"]
    assert np.array(without_each["places"]).shape == (6, 3)
    assert told(whole, "sample")["uncertainty"]["leave_one_batch_out"] is None


# --- what is lacking is said ---


def reasons(node: Any) -> set[str]:
    """Every reason that a document gives."""
    found = {node["undefined"]} if isinstance(node, dict) and node.get("undefined") else set()
    inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return found.union(*map(reasons, inner))


@pytest.mark.parametrize("level", LEVELS)
def test_nobody_on_the_board_is_no_error(level: str) -> None:
    found = analyse(study(task(level, teams=())))
    [one] = found["tasks"]
    assert one["entrants"] == []
    assert one["ranking"]["consensus"] == []
    assert b"Nobody has a place yet" in to_html(found)


@pytest.mark.parametrize("level", LEVELS)
def test_a_team_alone_is_first_and_beats_nobody(level: str) -> None:
    found = analyse(study(task(level, teams=["Anna & sons"], absent=0)))
    [one] = found["tasks"]
    assert one["ranking"]["consensus"] == [1]
    assert one["uncertainty"]["consensus"]["intervals"] == [[1, 1]]
    assert "fewer than two entrants have a value on this dataset" in reasons(one["uncertainty"])
    assert b"undefined" in to_html(found)


@pytest.mark.parametrize("level", LEVELS)
def test_results_on_one_dataset_only_leave_the_other_undefined_and_the_team_behind(level: str) -> None:
    given = task(level)
    strongest = given.entrants[0].submission
    given = with_part(given, "test", "abdom", predictions=without(given.test[1], strongest))
    found = analyse(study(given))
    [one] = found["tasks"]
    index = [entrant["submission"] for entrant in one["entrants"]].index(strongest)
    reached = results(found, one["slug"], "abdom")["entrants"][index]
    assert {figure["undefined"] for figure in reached.values()} == {"there are no results on this dataset"}
    assert one["ranking"]["places"]["abdom"][index] == 3
    assert one["uncertainty"]["datasets"]["abdom"]["bootstraps"]["value_intervals"][index] is None
    assert one["uncertainty"]["consensus"]["undefined"] is None
    assert b"there are no results on this dataset" in to_html(found)


@pytest.mark.parametrize("level", LEVELS)
def test_lacking_toy_results_leave_undefined_what_needs_them(level: str) -> None:
    found = analyse(study(task(level, toy=[])))
    [one] = found["tasks"]
    assert next(way for way in one["ranking"]["methods"] if way["method"] == "toy")["places"] is None
    assert one["ranking"]["toy_against_test"]["brain"]["value"] is None
    if level == "voxel":
        cut = results(found, "pixel", "brain")["entrants"][0]["dice_at_toy_threshold"]
        assert cut["undefined"] == "there are no toy results to choose a threshold on"
    assert to_html(found)


@pytest.mark.parametrize("level", LEVELS)
def test_a_dataset_on_which_nothing_is_abnormal_has_no_figures_and_says_so(level: str) -> None:
    given = task(level)
    normal = [replace(one, label=0, kind=None, category=None) for one in given.test[1].cases]
    emptied = {
        name: replace(
            found,
            histograms={
                case: VoxelHistogram(np.zeros_like(counts.positives), counts.positives + counts.negatives)
                for case, counts in found.histograms.items()
            },
        )
        for name, found in given.test[1].predictions.items()
    }
    found = analyse(study(with_part(given, "test", "abdom", cases=normal, predictions=emptied)))
    [one] = found["tasks"]
    values = [entrant["average_precision"] for entrant in results(found, one["slug"], "abdom")["entrants"]]
    assert {figure["value"] for figure in values} == {None}
    assert all("positive" in figure["undefined"] for figure in values)
    assert one["ranking"]["places"]["abdom"] == [1, 1, 1]
    assert one["uncertainty"]["consensus"]["undefined"] == "nobody has a value on this dataset"
    assert to_html(found)


@pytest.mark.parametrize("level", LEVELS)
def test_under_reject_a_submission_with_an_absent_case_has_no_figure(level: str) -> None:
    given = task(level)
    given = replace(given, protocol={**given.protocol, "missing": "reject"})
    found = analyse(study(given))
    [one] = found["tasks"]
    last = results(found, one["slug"], "brain")["entrants"][-1]["average_precision"]
    assert one["entrants"][-1]["team"] == "Cleo"
    assert last["undefined"].startswith("1 case has no usable prediction")


def test_one_batch_of_all_cases_is_tested_by_the_bootstrap() -> None:
    given = task("voxel")
    parts = [replace(one, arrangements=[[[case.id for case in one.cases]]]) for one in given.test]
    found = analyse(study(replace(given, test=parts)))
    [one] = found["tasks"]
    assert one["uncertainty"]["datasets"]["brain"]["tests"]["test"] == "paired_bootstrap"
    assert one["uncertainty"]["leave_one_batch_out"]["brain"]["undefined"]
    assert next(way for way in one["ranking"]["methods"] if way["method"] == "validation")["places"] is None


def test_teams_of_one_name_are_told_apart_in_figures() -> None:
    given = task("case")
    named = [replace(one, team="Twin") for one in given.entrants]
    found = analyse(study(replace(given, entrants=named)))
    names = [one["name"] for one in found["tasks"][0]["entrants"]]
    assert len(set(names)) == 3


# --- digests ---


def digests(given: Study) -> list[str]:
    [one] = analyse(given)["tasks"]
    return [entrant["statistics"]["test"]["brain"] for entrant in one["entrants"]]


@pytest.mark.parametrize("level", LEVELS)
def test_a_digest_changes_with_a_single_statistic(level: str) -> None:
    given = task(level, absent=0)
    part, entrant = given.test[0], entrants()[0].submission
    found, case = part.predictions[entrant], part.cases[3].id
    changed = (
        replace(found, scores={**found.scores, case: np.nextafter(found.scores[case], 2)})
        if level == "case"
        else replace(found, histograms={**found.histograms, case: found.histograms[part.cases[0].id]})
    )
    other = with_part(given, "test", "brain", predictions={**part.predictions, entrant: changed})
    before, after = digests(study(given)), digests(study(other))
    assert len(set(before)) == 3
    assert len(set(before) - set(after)) == 1


def test_a_digest_is_the_same_under_another_policy_for_absent_cases() -> None:
    given = task("voxel")
    part, last = given.test[0], given.entrants[-1].submission
    found, case = part.predictions[last], part.cases[0].id
    counted = found.histograms[case]
    zeros = VoxelHistogram.absent(counted.positive_voxels, counted.negative_voxels, "zero")
    assert zeros != counted
    lenient = replace(found, histograms={**found.histograms, case: zeros})
    other = with_part(given, "test", "brain", predictions={**part.predictions, last: lenient})
    assert sorted(digests(study(given))) == sorted(digests(study(other)))


# --- a participant's own toy results ---


@pytest.mark.parametrize("level", LEVELS)
def test_a_study_without_test_cases_is_a_report_on_toy_cases_one_by_one(level: str) -> None:
    found = analyse(study(task(level, teams=["Anna & sons"], test=[])))
    [one] = found["tasks"]
    assert (found["kind"], "ranking" in one) == ("toy", False)
    [cases] = one["toy_cases"]["brain"]
    assert [case["outcome"] for case in cases] == ["scored"] * 4
    assert [case["label"] for case in cases] == [1, 0, 1, 0]
    assert ("score" in cases[0]) == (level == "case")
    page = to_html(found).decode()
    assert "toy results" in page
    assert "Ranking" not in page
