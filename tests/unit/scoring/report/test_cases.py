"""Case by case: the figures are those of scikit-learn, the hardest and most disputed made so by hand."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from scoring.histograms import voxel_histogram
from scoring.report.analysis import analyse
from scoring.report.cases import cases_told, disputed, hardest, mean_of, rank_agreement, spread_of
from scoring.report.study import CaseFacts, Entrant, Part, Predictions, Study, TaskStudy

TEAMS = [Entrant("Alpha", "a"), Entrant("Beta", "b"), Entrant("Gamma", "c")]
CASES = [CaseFacts(f"case{n}", n % 2, "local", f"kind{n % 4}" if n % 2 else None) for n in range(12)]


def study(level: str, predictions: dict[str, Predictions], cases: list[CaseFacts] = CASES) -> Study:
    batches = [[[case.id for case in cases]]] if level == "voxel" else []
    part = Part("brain", "v1", cases, batches, predictions)
    task = TaskStudy("task", "Task", level, {"missing": "worst"}, TEAMS, [part], ())
    return Study("demo", "Demo", 1, [task], {}, bootstraps=100, seed=0)


def maps(rng: np.random.Generator) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    masks = {case.id: rng.random((6, 6, 6)) < 0.2 * case.label for case in CASES}
    scores = {name: np.float16(0.3 * mask + 0.7 * rng.random(mask.shape)) for name, mask in masks.items()}
    return masks, scores


def test_the_figures_of_voxel_cases_are_scikit_learns() -> None:
    masks, scores = maps(np.random.default_rng(1))
    found = Predictions(
        dict.fromkeys(masks, "scored"),
        histograms={name: voxel_histogram(scores[name], masks[name]) for name in masks},
    )
    told = cases_told(one := study("voxel", {"a": found}), one.tasks[0])
    assert told["entrants"] == ["a", "b", "c"]
    for row in told["datasets"]["brain"]["cases"]:
        mine, *others = row["figures"]
        assert others == [None, None]
        if not row["label"]:
            assert mine is None
            continue
        mask = masks[row["id"]]
        assert mine == pytest.approx(average_precision_score(mask.ravel(), scores[row["id"]].ravel()))
        assert row["positive_share"] == pytest.approx(mask.mean())
        assert row["outcomes"] == ["scored", None, None]


@pytest.mark.parametrize("grouping", ["category", "kind"])
def test_the_cases_of_a_cell_give_its_figure(grouping: str) -> None:
    rng = np.random.default_rng(2)
    scores = {case.id: float(np.round(0.4 * case.label + 0.6 * rng.random(), 2)) for case in CASES}
    predictions = {one.submission: Predictions(dict.fromkeys(scores, "scored"), scores) for one in TEAMS}
    made = study("case", predictions)
    cells = analyse(made)["tasks"][0]["groups"]["brain"][grouping]["groups"]
    told = cases_told(made, made.tasks[0])["datasets"]["brain"]
    assert [cell["name"] for cell in cells] == list(told["groups"][grouping])
    for cell in cells:
        rows = [told["cases"][number] for number in told["groups"][grouping][cell["name"]]]
        expected = average_precision_score([row["label"] for row in rows], [row["scores"][0] for row in rows])
        assert cell["average_precision"]["entrants"][0]["value"] == pytest.approx(expected)
        assert {row[grouping] for row in rows if row["label"]} == {cell["name"]}


def test_the_mean_agreement_of_either_label_is_the_auroc() -> None:
    rng = np.random.default_rng(3)
    labels = [0, 1] * 20
    scores = np.round(rng.random(40), 1).tolist()
    agreement = rank_agreement(labels, scores)
    for label in (0, 1):
        mean = np.mean([one for one, mine in zip(agreement, labels, strict=True) if mine == label])
        assert mean == pytest.approx(roc_auc_score(labels, scores))


def test_agreement_by_hand() -> None:
    assert rank_agreement([0, 0, 1, 1], [0.1, 0.6, 0.6, 0.05]) == [0.5, 0.25, 0.75, 0.0]
    assert rank_agreement([1, 1], [0.2, 0.3]) == [None, None]


def test_the_hardest_and_the_most_disputed_by_hand() -> None:
    figures = {
        "easy": [0.9, 0.9, 0.9],
        "hard": [0.1, 0.1, 0.1],
        "disputed": [1.0, 0.0, 0.5],
        "odd": [0.4, None, 0.2],
        "alone": [0.05, None, None],
        "none": [None, None, None],
    }
    rows = [
        {"id": name, "mean": mean_of(values), "spread": spread_of(values)} for name, values in figures.items()
    ]
    assert [row["id"] for row in hardest(rows, 3)] == ["alone", "hard", "odd"]
    assert [row["id"] for row in disputed(rows, 9)] == ["disputed", "odd"]
    assert spread_of([1.0, 0.0, 0.5]) == pytest.approx(np.std([1.0, 0.0, 0.5]))
    assert mean_of([0.4, None, 0.2]) == pytest.approx(0.3)


def test_what_lacks_results_has_no_figures_and_normal_cases_tell_no_kind() -> None:
    partial = Predictions({"case0": "scored"}, {"case0": 0.5})
    cases = [replace(case, kind="leftover") for case in CASES]
    told = cases_told(made := study("case", {"b": partial}, cases), made.tasks[0])
    for row in told["datasets"]["brain"]["cases"]:
        assert row["figures"] == row["scores"] == row["outcomes"] == [None] * 3
        assert row["kind"] == ("leftover" if row["label"] else None)
