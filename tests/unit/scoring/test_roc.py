"""AUROC and false-positive rate against scikit-learn, slow oracles, and what must leave them unchanged."""

from fractions import Fraction
from random import Random

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score, roc_curve

from scoring.average_precision import NotFinite, UndefinedMetric
from scoring.roc import auroc, auroc_of_counts, false_positive_rate, false_positive_rate_of_counts
from tests.unit.scoring.ranked import Ranked, ranked


def pairs_won(labels: NDArray[np.generic], scores: NDArray[np.generic]) -> Fraction:
    """The share of pairs of a positive and a negative in the right order, one pair after the other."""
    positives, negatives = scores[labels == 1].tolist(), scores[labels == 0].tolist()
    won = sum(Fraction((p > n) - (p < n) + 1, 2) for p in positives for n in negatives)
    return won / (len(positives) * len(negatives))


def least_false(labels: NDArray[np.generic], scores: NDArray[np.generic], rate: Fraction) -> Fraction:
    """Every threshold tried, in fractions."""
    positives, negatives = scores[labels == 1].tolist(), scores[labels == 0].tolist()
    return min(
        Fraction(sum(n >= threshold for n in negatives), len(negatives))
        for threshold in scores.tolist()
        if Fraction(sum(p >= threshold for p in positives), len(positives)) >= rate
    )


@given(ranked(negatives=1))
def test_auroc_equals_scikit_learn(case: Ranked) -> None:
    labels, scores = case
    assert abs(auroc(labels, scores) - roc_auc_score(labels, scores.astype(np.float64))) <= 1e-12


@given(ranked(negatives=1))
def test_auroc_is_the_share_of_pairs_won_to_the_last_bit(case: Ranked) -> None:
    labels, scores = case
    assert auroc(labels, scores) == float(pairs_won(labels, scores))


@given(ranked(negatives=1), st.sampled_from([Fraction(95, 100), Fraction(1, 2), Fraction(1, 3), Fraction(1)]))
def test_the_false_positive_rate_is_the_least_over_all_thresholds(case: Ranked, rate: Fraction) -> None:
    labels, scores = case
    assert false_positive_rate(labels, scores, float(rate)) == float(least_false(labels, scores, rate))


@given(ranked(negatives=1))
def test_the_false_positive_rate_equals_that_of_scikit_learns_curve(case: Ranked) -> None:
    labels, scores = case
    wrong, found, _ = roc_curve(labels, scores.astype(np.float64), drop_intermediate=False)
    assert false_positive_rate(labels, scores) == wrong[found >= 0.95].min()


@pytest.mark.parametrize("seed", [1, 2])
def test_large_samples_equal_scikit_learn_too(seed: int) -> None:
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 2, 50_000)
    scores = np.round(generator.random(50_000), 2 + seed) + 0.1 * labels
    wrong, found, _ = roc_curve(labels, scores, drop_intermediate=False)
    assert abs(auroc(labels, scores) - roc_auc_score(labels, scores)) <= 1e-12
    assert false_positive_rate(labels, scores) == wrong[found >= 0.95].min()


def test_every_positive_counts_where_95_percent_is_a_whole_number() -> None:
    # 19 of 20 is 95 %: the twentieth positive may stay below all negatives.
    labels, scores = [1] * 20 + [0] * 4, [*range(5, 24), 0, 1, 2, 3, 4]
    assert false_positive_rate(labels, scores) == 0.0
    assert false_positive_rate(labels, scores, 0.951) == 1.0


@pytest.mark.parametrize("positives", [20, 40, 60, 100, 140, 2000])
def test_no_rounding_moves_the_95th_percent(positives: int) -> None:
    below = positives // 20
    counts = np.array([below, 0, positives - below]), np.array([0, 7, 0])
    assert false_positive_rate_of_counts(*counts) == 0.0
    counts = np.array([below + 1, 0, positives - below - 1]), np.array([0, 7, 0])
    assert false_positive_rate_of_counts(*counts) == 1.0


def test_counts_beyond_64_bits_of_pairs_are_exact() -> None:
    many = 6_000_000_000
    assert auroc_of_counts(np.array([0, many, many]), np.array([many, many, 0])) == 0.875
    assert auroc_of_counts(np.array([many, 0]), np.array([0, many])) == 0.0
    assert false_positive_rate_of_counts(np.array([1, 0, 2 * many]), np.array([0, many, 0])) == 0.0


def test_perfect_inverted_and_constant_scores() -> None:
    labels = [0, 0, 1, 1]
    assert (auroc(labels, [1, 2, 3, 4]), false_positive_rate(labels, [1, 2, 3, 4])) == (1.0, 0.0)
    assert (auroc(labels, [4, 3, 2, 1]), false_positive_rate(labels, [4, 3, 2, 1])) == (0.0, 1.0)
    assert (auroc(labels, [7, 7, 7, 7]), false_positive_rate(labels, [7, 7, 7, 7])) == (0.5, 1.0)


@given(ranked(negatives=1), st.randoms(use_true_random=False))
def test_the_order_of_the_cases_does_not_matter(case: Ranked, random: Random) -> None:
    labels, scores = case
    order = list(range(len(labels)))
    random.shuffle(order)
    assert auroc(labels[order], scores[order]) == auroc(labels, scores)
    assert false_positive_rate(labels[order], scores[order]) == false_positive_rate(labels, scores)


@given(ranked(negatives=1))
def test_only_the_order_of_the_scores_matters(case: Ranked) -> None:
    labels, scores = case
    ranks = 3.0 * np.unique(scores, return_inverse=True)[1] - 7
    assert auroc(labels, ranks) == auroc(labels, scores)
    assert false_positive_rate(labels, ranks) == false_positive_rate(labels, scores)


@given(ranked(negatives=1), st.integers(2, 4))
def test_every_case_repeated_changes_nothing(case: Ranked, times: int) -> None:
    labels, scores = case
    assert auroc(np.tile(labels, times), np.tile(scores, times)) == auroc(labels, scores)
    assert false_positive_rate(np.tile(labels, times), np.tile(scores, times)) == false_positive_rate(
        labels, scores
    )


@given(ranked(negatives=1))
def test_swapped_labels_give_what_is_missing_to_one(case: Ranked) -> None:
    labels, scores = case
    assert abs(auroc(labels == 0, scores) + auroc(labels == 1, scores) - 1) <= 1e-15


@given(ranked(negatives=1))
def test_swapped_labels_and_inverted_scores_give_the_same(case: Ranked) -> None:
    labels, scores = case
    assert auroc(labels == 0, -scores.astype(np.float64)) == auroc(labels, scores)


@given(ranked(negatives=1), st.floats(0.01, 1), st.floats(0.01, 1))
@example((np.array([0, 1]), np.array([0.5, 0.5])), 0.5, 1.0)
def test_a_higher_true_positive_rate_never_costs_less(case: Ranked, one: float, other: float) -> None:
    labels, scores = case
    low, high = sorted((one, other))
    assert false_positive_rate(labels, scores, low) <= false_positive_rate(labels, scores, high)


@pytest.mark.parametrize("metric", [auroc, false_positive_rate])
@pytest.mark.parametrize(("labels", "absent"), [([0, 0], "positive"), ([1, 1], "negative"), ([], "positive")])
def test_an_absent_class_is_undefined_and_named(metric, labels: list[int], absent: str) -> None:
    with pytest.raises(UndefinedMetric, match=f"at least one {absent}"):
        metric(labels, np.arange(len(labels)))


@pytest.mark.parametrize("metric", [auroc, false_positive_rate])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_not_finite_is_refused(metric, value: float) -> None:
    with pytest.raises(NotFinite):
        metric([1, 0], [value, 0.5])


@pytest.mark.parametrize("rate", [0, -0.5, 1.01, np.nan])
def test_a_rate_outside_zero_to_one_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="true-positive rate"):
        false_positive_rate([0, 1], [0, 1], rate)


@pytest.mark.parametrize("metric", [auroc, false_positive_rate])
def test_labels_that_make_no_sense_are_refused(metric) -> None:
    with pytest.raises(ValueError, match="labels"):
        metric([2, 0], [0.5, 0.5])
    with pytest.raises(ValueError, match="labels"):
        metric([1, 0], [0.5])
