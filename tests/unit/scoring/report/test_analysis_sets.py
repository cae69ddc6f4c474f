"""What the analysis sets tell: curves, kinds, and whether proxies rank as the test cases do."""

import json
from dataclasses import replace
from typing import Any

import pytest
from sklearn.metrics import average_precision_score

from scoring.dice import best_dice
from scoring.ranking import kendall_tau_b, places
from scoring.report.analysis import analyse
from scoring.report.document import to_json
from scoring.report.page import to_html
from scoring.report.study import AnalysisSet, Predictions, TaskStudy
from tests.unit.scoring.report.studies import TEAMS, analysis_sets, entrants, study, task

LEVELS = ("case", "voxel")
NOT_YET = "it was not run on the analysis sets of this dataset yet"


def with_sets(level: str, **more: Any) -> TaskStudy:
    sets = [one for dataset in ("brain", "abdom") for one in analysis_sets(level, dataset, **more)]
    return task(level, analysis=sets)


@pytest.fixture(scope="module")
def given() -> dict[str, TaskStudy]:
    return {level: with_sets(level) for level in LEVELS}


@pytest.fixture(scope="module")
def whole(given: dict[str, TaskStudy]) -> dict[str, Any]:
    return analyse(study(*given.values()))


def told(document: dict[str, Any], level: str) -> dict[str, Any]:
    return next(one for one in document["tasks"] if one["level"] == level)


def sets_of(document: dict[str, Any], level: str, dataset: str = "brain") -> dict[str, Any]:
    return told(document, level)["analysis"]["datasets"][dataset]


def part_of(given: TaskStudy, name: str, dataset: str = "brain") -> Any:
    return next(one.part for one in given.analysis if (one.name, one.part.dataset) == (name, dataset))


def values(figures: list[dict[str, Any]]) -> list[float | None]:
    return [one["value"] for one in figures]


def test_every_set_is_there_and_everybody_was_run_on_all_of_it(whole: dict[str, Any]) -> None:
    for level in LEVELS:
        for dataset in ("brain", "abdom"):
            sets = sets_of(whole, level, dataset)
            counts = {name: (one["cases"], one["abnormal"]) for name, one in sets.items()}
            assert counts == {
                "proxy": (12, 6), "size-series": (5, 4), "contrast-series": (5, 5), "equal-counts": (24, 12),
            }  # fmt: skip
            for one in sets.values():
                assert one["analysed"] == [one["cases"]] * 3
                assert len(set(one["digests"])) == 3


def test_case_level_series_are_the_scores_themselves_beside_that_of_the_scan_without_a_sphere(
    whole: dict[str, Any], given: dict[str, TaskStudy]
) -> None:
    sets = sets_of(whole, "case")
    order = [one["submission"] for one in told(whole, "case")["entrants"]]
    for name in ("size-series", "contrast-series"):
        part = part_of(given["case"], name)
        for submission, found in zip(order, sets[name]["entrants"], strict=True):
            assert values(found["score"]) == [part.predictions[submission].scores[c.id] for c in part.cases]
    sizes, contrasts = sets["size-series"], sets["contrast-series"]
    assert [step["value"] for step in sizes["steps"]] == [0.0, 5.0, 10.0, 15.0, 20.0]
    assert [step["value"] for step in contrasts["steps"]] == [0.0, 0.25, 0.5, 0.75, 1.0]
    free = [found["score"][0] for found in sizes["entrants"]]
    assert sizes["anomaly_free"] == contrasts["anomaly_free"] == free


def test_voxel_level_series_are_average_precision_and_best_dice_of_each_scan(
    whole: dict[str, Any], given: dict[str, TaskStudy]
) -> None:
    sets = sets_of(whole, "voxel")
    order = [one["submission"] for one in told(whole, "voxel")["entrants"]]
    part = part_of(given["voxel"], "size-series")
    assert [step["positive_share"] for step in sets["size-series"]["steps"]] == [0.0] + [12 / 216] * 4
    for submission, found in zip(order, sets["size-series"]["entrants"], strict=True):
        counted = [part.predictions[submission].histograms[case.id] for case in part.cases[1:]]
        assert values(found["average_precision"])[1:] == [one.average_precision() for one in counted]
        assert values(found["best_dice"])[1:] == [best_dice(one)[0] for one in counted]
        assert found["average_precision"][0]["undefined"] == "average precision needs at least one positive"


def test_proxies_have_the_figures_of_the_metrics_and_places_beside_those_of_the_test_cases(
    whole: dict[str, Any], given: dict[str, TaskStudy]
) -> None:
    for level in LEVELS:
        part, found = part_of(given[level], "proxy"), sets_of(whole, level)["proxy"]
        reached = values([one["average_precision"] for one in found["entrants"]])
        for index, one in enumerate(told(whole, level)["entrants"]):
            predicted = part.predictions[one["submission"]]
            if level == "case":
                labels = [case.label for case in part.cases]
                scores = [predicted.scores[case.id] for case in part.cases]
                expected = average_precision_score(labels, scores)
            else:
                pooled = [predicted.histograms[case.id] for case in part.cases]
                expected = sum(pooled[1:], pooled[0]).average_precision()
            assert reached[index] == pytest.approx(expected, abs=1e-12)
        assert found["places"] == places(reached)
        test_places = told(whole, level)["ranking"]["places"]["brain"]
        assert found["against_test"]["value"] == kendall_tau_b(found["places"], test_places)
        assert found["against_test"]["entrants"] == 3
        assert told(whole, level)["analysis"]["proxy_against_test"]["entrants"] == 3


def test_every_kind_stands_beside_as_many_normal_cases(whole: dict[str, Any]) -> None:
    for level in LEVELS:
        groups = sets_of(whole, level)["equal-counts"]["groups"]
        assert list(groups) == ["category", "kind", "difficulty"]
        assert [one["name"] for one in groups["kind"]["groups"]] == ["blur", "patch", "sphere"]
        for group in (one for grouping in groups.values() for one in grouping["groups"]):
            assert group["abnormal"] == group["normal"] > 0
            assert None not in values(group["average_precision"]["entrants"])


def test_who_was_not_run_yet_is_said_and_leaves_the_others_their_figures() -> None:
    document = analyse(study(*(with_sets(level, lacking=["Bert <b>"]) for level in LEVELS)))
    page = to_html(document).decode()
    for level in LEVELS:
        one = told(document, level)
        index = [entrant["team"] for entrant in one["entrants"]].index("Bert <b>")
        sets = sets_of(document, level)
        assert [found["analysed"][index] for found in sets.values()] == [0] * 4
        assert sets["proxy"]["entrants"][index]["average_precision"]["undefined"] == NOT_YET
        assert sets["proxy"]["places"][index] == 3
        assert sets["proxy"]["against_test"]["entrants"] == 2
        key = "score" if level == "case" else "best_dice"
        assert {step["undefined"] for step in sets["size-series"]["entrants"][index][key]} == {NOT_YET}
        kinds = sets["equal-counts"]["groups"]["kind"]["groups"]
        assert {group["average_precision"]["entrants"][index]["undefined"] for group in kinds} == {NOT_YET}
        assert all(group["average_precision"]["median"] is not None for group in kinds)
    assert page.count("Not run yet, or not on all of them: <bdi>Bert &lt;b&gt;</bdi> (0 of ") == 2 * 2 * 4
    assert NOT_YET in page


@pytest.mark.parametrize("level", LEVELS)
def test_a_case_without_a_usable_prediction_or_result_is_no_point_of_a_curve(level: str) -> None:
    submission = entrants()[0].submission

    def without(one: AnalysisSet) -> AnalysisSet:
        found, ids = one.part.predictions[submission], [case.id for case in one.part.cases]
        outcomes = {**found.outcomes, ids[2]: "timed_out"}
        del outcomes[ids[3]]
        scores, histograms = (
            {case: value for case, value in kept.items() if case != ids[3]}
            for kept in (found.scores, found.histograms)
        )
        mended = Predictions(outcomes, scores, histograms)
        return replace(one, part=replace(one.part, predictions={**one.part.predictions, submission: mended}))

    given = with_sets(level)
    document = analyse(study(replace(given, analysis=[without(one) for one in given.analysis])))
    index = [one["submission"] for one in told(document, level)["entrants"]].index(submission)
    sets = sets_of(document, level)
    assert sets["contrast-series"]["analysed"][index] == 4
    key = "score" if level == "case" else "average_precision"
    steps = [one["undefined"] for one in sets["contrast-series"]["entrants"][index][key]]
    assert steps == [None, None, "no usable prediction: timed out", "it has no result yet", None]
    lacking = sets["proxy"]["entrants"][index]["average_precision"]["undefined"]
    assert lacking == "results of 1 of 12 cases are lacking"
    assert f"({12 - 1} of 12)" in to_html(document).decode()


def test_the_page_shows_curves_and_kinds_and_names_no_case(whole: dict[str, Any]) -> None:
    page = to_html(whole).decode()
    titles = [one["title"] for level in LEVELS for one in told(whole, level)["figures"]]
    for title in (
        "Score, size series, brain",
        "Score, contrast series, abdom",
        "Average precision, size series, brain",
        "Best Dice, contrast series, brain",
        "Kinds of anomaly, equal counts, brain",
    ):
        assert titles.count(title) >= 1
        assert title in page
    assert b"secret-" not in to_json(whole) + page.encode()
    assert to_html(json.loads(to_json(whole))) == page.encode()


def test_the_analysis_changes_no_other_figure(whole: dict[str, Any]) -> None:
    plain = analyse(study(*(task(level) for level in LEVELS)))
    for level in LEVELS:
        with_, without = told(whole, level), told(plain, level)
        for key in ("results", "ranking", "uncertainty", "groups"):
            assert with_[key] == without[key]
        assert without["analysis"] == {"datasets": {}, "proxy_against_test": None}
    assert b"The datasets have none." in to_html(plain)


@pytest.mark.parametrize("level", LEVELS)
def test_nobody_and_one_team_alone_are_no_error(level: str) -> None:
    for teams in ((), tuple(TEAMS)[:1]):
        sets = analysis_sets(level, "brain", teams)
        document = analyse(study(task(level, teams=teams, absent=0, analysis=sets)))
        found = told(document, level)["analysis"]["datasets"]["brain"]["proxy"]["against_test"]
        assert found["value"] is None
        assert "at least two competitors" in found["undefined"]
        assert to_html(document)
