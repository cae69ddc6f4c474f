"""By batch, over the dataset and by case; and the scores of cases without a prediction."""

from functools import reduce
from operator import add
from typing import Literal

import numpy as np
import pytest

from scoring.aggregate import (
    absent_case_score,
    batch_average_precisions,
    mean_over_batches,
    mean_over_cases,
    over_dataset,
    per_case,
    per_case_average_precision,
)
from scoring.average_precision import NotFinite, UndefinedMetric, average_precision
from scoring.dice import best_dice
from scoring.histograms import VoxelHistogram, voxel_histogram

MASKS = {name: np.array(mask) for name, mask in {"a": [1, 0, 0], "b": [0, 0, 1], "c": [0, 0, 0]}.items()}
SCORES = {name: np.array(s) for name, s in {"a": [0.5, 0.75, 0], "b": [0.25, 0.5, 1], "c": [1, 0, 0]}.items()}
HISTOGRAMS = {name: voxel_histogram(SCORES[name], MASKS[name] == 1) for name in MASKS}


def test_the_mean_is_over_batches_not_over_cases() -> None:
    both = average_precision(
        np.concatenate([MASKS["a"], MASKS["c"]]), np.concatenate([SCORES["a"], SCORES["c"]])
    )
    alone = average_precision(MASKS["b"], SCORES["b"])
    assert mean_over_batches(HISTOGRAMS, [["a", "c"], ["b"]]) == pytest.approx((both + alone) / 2, abs=1e-15)


def test_the_order_within_a_batch_does_not_matter() -> None:
    assert mean_over_batches(HISTOGRAMS, [["a", "b", "c"]]) == mean_over_batches(
        HISTOGRAMS, [["c", "a", "b"]]
    )


def test_a_batch_without_a_positive_is_named() -> None:
    with pytest.raises(UndefinedMetric, match="batch 1"):
        mean_over_batches(HISTOGRAMS, [["a", "b"], ["c"]])


def test_a_case_without_a_histogram_is_never_dropped() -> None:
    with pytest.raises(KeyError, match="z"):
        mean_over_batches(HISTOGRAMS, [["a", "z"]])


@pytest.mark.parametrize("batches", [[], [["a"], []]])
def test_empty_batches_are_refused(batches: list[list[str]]) -> None:
    with pytest.raises(ValueError, match="batch"):
        mean_over_batches(HISTOGRAMS, batches)


@pytest.mark.parametrize(
    ("label", "policy", "score"), [(0, "zero", 0.0), (1, "zero", 0.0), (0, "worst", 1.0), (1, "worst", 0.0)]
)
def test_a_missing_case_scores_by_the_policy(
    label: int, policy: Literal["zero", "worst"], score: float
) -> None:
    assert absent_case_score(label, policy) == score


def test_a_missing_case_has_no_score_where_it_rejects_the_submission() -> None:
    with pytest.raises(ValueError, match="reject"):
        absent_case_score(1, "reject")


def test_batches_keep_their_order_and_their_mean_is_the_task_figure() -> None:
    batches = [["b"], ["a", "c"], ["a", "b", "c"]]
    found = batch_average_precisions(HISTOGRAMS, batches)
    for cases, value in zip(batches, found, strict=True):
        masks, scores = (np.concatenate([part[case] for case in cases]) for part in (MASKS, SCORES))
        assert value == pytest.approx(average_precision(masks, scores), abs=1e-15)
    assert mean_over_batches(HISTOGRAMS, batches) == pytest.approx(sum(found) / 3, abs=1e-15)


def test_over_the_dataset_large_anomalies_dominate_and_by_case_all_are_alike() -> None:
    large = voxel_histogram(np.ones(100), np.ones(100, dtype=np.bool_))
    small = voxel_histogram(np.array([0.0, 1.0]), np.array([True, False]))
    both = {"large": large, "small": small}
    assert per_case_average_precision(both) == {"large": 1.0, "small": 0.5}
    assert mean_over_cases(per_case_average_precision(both)) == 0.75
    # 100 of 101 positives at a precision of 100/101, the last at 101/102.
    assert over_dataset(both) == pytest.approx(100 / 101 * 100 / 101 + 1 / 101 * 101 / 102, abs=1e-15)


def test_a_case_without_a_positive_has_no_average_precision_and_the_mean_is_over_the_others() -> None:
    values = per_case_average_precision(HISTOGRAMS)
    assert values["c"] is None
    assert mean_over_cases(values) == pytest.approx((values["a"] + values["b"]) / 2, abs=1e-15)


def test_the_mean_of_nothing_but_undefined_is_undefined() -> None:
    for values in ({}, {"a": None, "b": None}):
        with pytest.raises(UndefinedMetric, match="every case"):
            mean_over_cases(values)


def test_a_dataset_without_a_positive_is_undefined_and_one_without_cases_an_error() -> None:
    with pytest.raises(UndefinedMetric, match="positive"):
        over_dataset({"c": HISTOGRAMS["c"]})
    with pytest.raises(ValueError, match="cases"):
        over_dataset({})


def test_any_metric_of_voxels_is_aggregated_both_ways() -> None:
    def best(histogram: VoxelHistogram) -> float:
        return best_dice(histogram)[0]

    assert per_case(HISTOGRAMS, best) == {
        "a": pytest.approx(2 / 3, abs=1e-15),
        "b": pytest.approx(1.0, abs=1e-15),
        "c": None,
    }
    pooled = reduce(add, HISTOGRAMS.values())
    assert over_dataset(HISTOGRAMS, best) == best(pooled)


def test_a_score_that_is_not_finite_is_not_taken_for_undefined() -> None:
    def refuse(histogram: VoxelHistogram) -> float:
        raise NotFinite("a score is NaN or infinite")

    with pytest.raises(NotFinite):
        per_case(HISTOGRAMS, refuse)
