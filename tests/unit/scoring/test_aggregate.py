"""Means over batches, and the scores of cases without a prediction."""

from typing import Literal

import numpy as np
import pytest

from scoring.aggregate import absent_case_score, mean_over_batches
from scoring.average_precision import UndefinedMetric, average_precision
from scoring.histograms import voxel_histogram

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
