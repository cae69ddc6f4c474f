"""Average precision against scikit-learn, a slow oracle, and what must leave it unchanged."""

from fractions import Fraction
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from scoring.average_precision import NotFinite, UndefinedMetric, average_precision
from tests.unit.scoring.ranked import Ranked, ranked


def brute_force(labels: NDArray[np.generic], scores: NDArray[np.generic]) -> Fraction:
    """The definition, threshold by threshold, in plain loops and without rounding."""
    pairs = [(int(label), score) for label, score in zip(labels.tolist(), scores.tolist(), strict=True)]
    positives = sum(label for label, _ in pairs)
    total, recall_before = Fraction(0), Fraction(0)
    for threshold in sorted({score for _, score in pairs}, reverse=True):
        called = [label for label, score in pairs if score >= threshold]
        recall = Fraction(sum(called), positives)
        total += (recall - recall_before) * Fraction(sum(called), len(called))
        recall_before = recall
    return total


@given(ranked())
def test_it_equals_scikit_learn(case: Ranked) -> None:
    labels, scores = case
    assert abs(average_precision(labels, scores) - average_precision_score(labels, scores)) <= 1e-12


@given(ranked())
def test_it_equals_the_definition_threshold_by_threshold(case: Ranked) -> None:
    labels, scores = case
    assert abs(average_precision(labels, scores) - brute_force(labels, scores)) <= 2e-15


@given(ranked(), st.randoms(use_true_random=False))
def test_the_order_of_the_cases_does_not_matter(case: Ranked, random: Random) -> None:
    labels, scores = case
    order = list(range(len(labels)))
    random.shuffle(order)
    assert average_precision(labels[order], scores[order]) == average_precision(labels, scores)


@given(ranked())
def test_only_the_order_of_the_scores_matters(case: Ranked) -> None:
    labels, scores = case
    ranks = np.unique(scores, return_inverse=True)[1]
    assert average_precision(labels, ranks) == average_precision(labels, scores)


@given(ranked(), st.integers(2, 4))
def test_every_case_repeated_changes_nothing(case: Ranked, times: int) -> None:
    labels, scores = case
    repeated = average_precision(np.tile(labels, times), np.tile(scores, times))
    assert abs(repeated - average_precision(labels, scores)) <= 2e-15


@given(ranked(), st.integers(1, 5))
def test_negatives_below_every_positive_change_nothing(case: Ranked, count: int) -> None:
    labels, scores = case
    ranks = np.unique(scores, return_inverse=True)[1]
    more = average_precision(np.append(labels, np.zeros(count)), np.append(ranks, np.full(count, -1)))
    assert more == average_precision(labels, ranks)


@given(ranked())
def test_the_types_of_labels_and_scores_do_not_matter(case: Ranked) -> None:
    labels, scores = case
    assert average_precision(labels, scores) == average_precision(labels.tolist(), scores.tolist())


def test_large_samples_equal_scikit_learn_too() -> None:
    generator = np.random.default_rng(1)
    labels = generator.integers(0, 2, 100_000)
    scores = np.round(generator.random(100_000), 3) + 0.1 * labels
    assert abs(average_precision(labels, scores) - average_precision_score(labels, scores)) <= 1e-12


def test_all_positive_scores_one() -> None:
    assert average_precision(np.ones(5), np.arange(5)) == 1.0


def test_all_equal_scores_the_share_of_positives() -> None:
    assert average_precision([1, 0, 0, 0], [0.3, 0.3, 0.3, 0.3]) == 0.25


def test_one_positive_scores_one_over_its_place() -> None:
    assert average_precision([False, True, False, False], [0.9, 0.5, 0.8, 0.1]) == pytest.approx(
        1 / 3, abs=1e-15
    )


@pytest.mark.parametrize("size", [0, 3])
def test_no_positive_is_undefined(size: int) -> None:
    with pytest.raises(UndefinedMetric):
        average_precision(np.zeros(size), np.arange(size))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_not_finite_is_refused(value: float) -> None:
    with pytest.raises(NotFinite):
        average_precision([1, 0], [value, 0.5])


@pytest.mark.parametrize(
    ("labels", "scores"),
    [
        ([1, 0], [0.5]),
        ([1], [[0.5]]),
        ([[1]], [[0.5]]),
        ([2, 0], [0.5, 0.5]),
        ([0.5, 1], [0.5, 0.5]),
        ([np.nan, 1], [0.5, 0.5]),
    ],
)
def test_labels_and_shapes_that_make_no_sense_are_refused(labels: list[float], scores: list[float]) -> None:
    with pytest.raises(ValueError, match="labels"):
        average_precision(labels, scores)
