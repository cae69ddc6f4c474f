"""Dice by threshold, against brute force over small volumes."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from scoring.average_precision import NotFinite, UndefinedMetric
from scoring.dice import best_dice, dice_at, dice_by_level
from scoring.histograms import LEVELS, VoxelHistogram, voxel_histogram

VALUES = np.arange(LEVELS, dtype=np.uint16).view(np.float16).astype(np.float64)

Voxels = tuple[NDArray[np.float64], NDArray[np.bool_]]


@st.composite
def voxels(draw: st.DrawFn) -> Voxels:
    """Scores that float16 keeps, and a mask with a positive."""
    size = draw(st.integers(1, 30))
    score = draw(st.sampled_from([st.floats(0, 1, width=16), st.sampled_from([0.0, 0.25, 0.5, 1.0])]))
    mask = np.array(draw(st.lists(st.booleans(), min_size=size, max_size=size)))
    mask[draw(st.integers(0, size - 1))] = True
    return np.array(draw(st.lists(score, min_size=size, max_size=size))), mask


def dice(scores: NDArray[np.float64], mask: NDArray[np.bool_], threshold: float) -> Fraction:
    called = scores >= threshold
    return Fraction(2 * int((called & mask).sum()), int(called.sum()) + int(mask.sum()))


@given(voxels())
def test_the_best_dice_is_the_best_over_all_thresholds_tried(case: Voxels) -> None:
    scores, mask = case
    tried = [(dice(scores, mask, threshold), threshold) for threshold in scores.tolist()]
    best, threshold = max(tried)  # of equally good ones the highest
    assert best_dice(voxel_histogram(scores, mask)) == (float(best), threshold)


@given(voxels(), st.floats(-0.5, 1.5))
def test_dice_at_a_threshold_equals_dice_of_the_thresholded_scores(case: Voxels, threshold: float) -> None:
    scores, mask = case
    assert dice_at(voxel_histogram(scores, mask), threshold) == float(dice(scores, mask, threshold))


@given(voxels())
def test_dice_at_every_level_equals_dice_at_its_value(case: Voxels) -> None:
    scores, mask = case
    by_level = dice_by_level(voxel_histogram(scores, mask))
    assert by_level.shape == (LEVELS,)
    for level in (0, 1, 7000, LEVELS - 1, *voxel_histogram(scores, mask).positives.nonzero()[0]):
        assert by_level[level] == float(dice(scores, mask, VALUES[level]))


@given(voxels(), st.floats(0, 1))
def test_dice_is_scikit_learns_f1(case: Voxels, threshold: float) -> None:
    scores, mask = case
    reference = f1_score(mask, scores >= threshold, zero_division=0)
    assert abs(dice_at(voxel_histogram(scores, mask), threshold) - reference) <= 1e-12


@given(voxels())
def test_the_best_threshold_is_the_score_of_a_positive(case: Voxels) -> None:
    scores, mask = case
    assert best_dice(voxel_histogram(scores, mask))[1] in scores[mask]


@given(voxels(), st.integers(2, 5))
def test_every_voxel_repeated_changes_nothing(case: Voxels, times: int) -> None:
    scores, mask = case
    once = voxel_histogram(scores, mask)
    repeated = VoxelHistogram(times * once.positives, times * once.negatives)
    assert best_dice(repeated) == best_dice(once)
    assert np.array_equal(dice_by_level(repeated), dice_by_level(once))


@given(voxels())
def test_only_the_order_of_the_scores_matters_to_the_best(case: Voxels) -> None:
    scores, mask = case
    ranks = np.unique(scores, return_inverse=True)[1]
    assert (
        best_dice(voxel_histogram(VALUES[500 * ranks], mask))[0]
        == best_dice(voxel_histogram(scores, mask))[0]
    )


def test_a_threshold_of_the_toy_cases_is_applied_to_others() -> None:
    toy = voxel_histogram(np.array([0.9, 0.8, 0.3, 0.2]), np.array([True, True, False, False]))
    test = voxel_histogram(np.array([0.9, 0.7, 0.85, 0.1]), np.array([True, True, False, False]))
    best, threshold = best_dice(toy)
    assert (best, threshold) == (1.0, float(np.float16(0.8)))
    assert dice_at(test, threshold) == 0.5  # 0.9 and 0.85 called: TP 1, FP 1, FN 1
    assert best_dice(test) == (0.8, float(np.float16(0.7)))


def test_of_two_thresholds_as_good_the_higher_is_said() -> None:
    # At 0.75: one found, one called of two, 2/3. At 0.5: two found, four called of two, 4/6.
    histogram = voxel_histogram(np.array([0.75, 0.5, 0.5, 0.5]), np.array([True, True, False, False]))
    assert dice_at(histogram, 0.75) == dice_at(histogram, 0.5) == 2 / 3
    assert best_dice(histogram) == (2 / 3, 0.75)


def test_calling_nothing_scores_zero() -> None:
    histogram = voxel_histogram(np.array([1.0, 0.0]), np.array([True, False]))
    assert (dice_at(histogram, 1.0), dice_at(histogram, 1.001)) == (1.0, 0.0)


def test_a_threshold_at_or_below_zero_calls_everything() -> None:
    histogram = voxel_histogram(np.array([1.0, 0.0, 0.0]), np.array([True, False, False]))
    assert dice_at(histogram, 0.0) == dice_at(histogram, -3.0) == 0.5


def test_billions_of_voxels_do_not_overflow() -> None:
    counts = np.zeros(LEVELS, dtype=np.int64)
    counts[[0, 5000]] = 10**12
    assert best_dice(VoxelHistogram(counts, counts)) == (2 / 3, 0.0)


def test_without_a_positive_dice_is_undefined() -> None:
    histogram = voxel_histogram(np.array([0.5, 0.0]), np.array([False, False]))
    for metric in (dice_by_level, best_dice, lambda h: dice_at(h, 0.5)):
        with pytest.raises(UndefinedMetric, match="positive"):
            metric(histogram)


@pytest.mark.parametrize("threshold", [np.nan, np.inf, -np.inf])
def test_a_threshold_that_is_not_finite_is_refused(threshold: float) -> None:
    with pytest.raises(NotFinite):
        dice_at(voxel_histogram(np.array([0.5]), np.array([True])), threshold)
