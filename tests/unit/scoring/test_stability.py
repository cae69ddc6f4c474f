"""Bootstraps against scikit-learn and against sums of histograms, and what they say of places."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy.stats import kendalltau
from sklearn.metrics import average_precision_score

from scoring.aggregate import mean_over_batches
from scoring.average_precision import NotFinite, UndefinedMetric
from scoring.histograms import LEVELS, VoxelHistogram, voxel_histogram
from scoring.ranking import consensus, places
from scoring.stability import (
    bootstrap_batches,
    bootstrap_cases,
    bootstrap_entrants,
    draw,
    leave_one_batch_out,
    stability,
)
from scoring.stacking import BLOCK, stacked

LABELS = np.array([1, 0, 1, 1, 0, 0, 1, 0, 1, 0])
BATCHES = [[0, 4, 7], [1, 2], [3, 5, 9], [6, 8]]
Volumes = list[tuple[NDArray[np.float16], NDArray[np.bool_]]]


def volumes(seed: int, voxels: int = 300) -> Volumes:
    """Scores with ties and a mask for each of LABELS; one in ten cases is rather sure of itself."""
    rng = np.random.default_rng(seed)
    cases = []
    for label in LABELS:
        mask = rng.random(voxels) < 0.1 * label
        mask[0] = label == 1
        scores = rng.beta(1, rng.integers(2, 9), voxels) + 0.2 * mask * rng.random()
        cases.append((np.clip(np.round(scores, 3), 0, 1).astype(np.float16), mask))
    return cases


def histograms(cases: Volumes) -> list[VoxelHistogram]:
    return [voxel_histogram(scores, mask) for scores, mask in cases]


def random_histograms(rng: np.random.Generator, levels: int) -> list[VoxelHistogram]:
    """Ten cases that use `levels` levels, spread over all there are, up to a million voxels at each."""
    used = np.sort(rng.choice(LEVELS, levels, replace=False))
    made = []
    for label in LABELS:
        counts = np.zeros((2, LEVELS), dtype=np.int64)
        counts[0, used] = label * rng.integers(0, 30, levels)
        counts[0, used[0]] += label
        counts[1] = rng.integers(0, 1_000_000, LEVELS)
        made.append(VoxelHistogram(*counts))
    return made


def one_by_one(cases: list[VoxelHistogram], drawn: NDArray[np.int32]) -> float:
    """What the figure of one bootstrap is by definition."""
    named = {str(j): cases[case] for j, case in enumerate(drawn)}
    return mean_over_batches(named, [[str(j) for j in batch] for batch in BATCHES])


@given(arrays(np.int64, st.integers(1, 12), elements=st.integers(0, 2)), st.integers(0, 1000))
def test_cases_are_redrawn_within_their_class(labels: NDArray[np.int64], seed: int) -> None:
    draws = draw(labels, 7, np.random.default_rng(seed))
    assert draws.shape == (7, len(labels))
    assert draws.dtype == np.int32
    assert np.array_equal(labels[draws], np.tile(labels, (7, 1)))


def test_every_case_of_a_class_is_drawn_equally_often() -> None:
    draws = draw(LABELS, 20_000, np.random.default_rng(1))
    shares = np.bincount(draws[:, 0], minlength=10) / 20_000
    assert np.allclose(shares, LABELS / LABELS.sum(), atol=0.015)
    assert np.array_equal(draws, draw(LABELS, 20_000, np.random.default_rng(1)))
    assert not np.array_equal(draws[:, 0], draws[:, 2])


@given(
    arrays(np.int64, 9, elements=st.integers(0, 1)).filter(lambda labels: labels.any()),
    arrays(np.float64, 9, elements=st.sampled_from([0.0, -0.0, 0.25, 0.5, 1.0]) | st.floats(-9, 9)),
    st.integers(0, 1000),
)
def test_redrawn_cases_score_as_scikit_learn_says(
    labels: NDArray[np.int64], scores: NDArray[np.float64], seed: int
) -> None:
    draws = draw(labels, 5, np.random.default_rng(seed))
    expected = [average_precision_score(labels[drawn], scores[drawn]) for drawn in draws]
    assert np.allclose(bootstrap_cases(labels, scores, draws), expected, rtol=0, atol=1e-12)


def test_a_redrawn_set_of_cases_needs_a_positive() -> None:
    with pytest.raises(UndefinedMetric, match="positive"):
        bootstrap_cases(np.array([1, 0]), np.array([0.1, 0.2]), np.array([[0, 1], [1, 1]], dtype=np.int32))


def test_scores_of_redrawn_cases_are_finite() -> None:
    with pytest.raises(NotFinite):
        bootstrap_cases(np.array([1, 0]), np.array([0.1, np.nan]), np.zeros((1, 2), dtype=np.int32))


def test_bootstraps_at_random_score_as_scikit_learn_says_of_the_voxels() -> None:
    cases = volumes(2)
    draws = draw(LABELS, 40, np.random.default_rng(3))
    values = bootstrap_batches(histograms(cases), BATCHES, draws)
    for replicate in np.random.default_rng(4).choice(40, 8, replace=False):
        batches = [[cases[draws[replicate, j]] for j in batch] for batch in BATCHES]
        expected = [
            average_precision_score(
                np.concatenate([mask for _, mask in batch]), np.concatenate([scores for scores, _ in batch])
            )
            for batch in batches
        ]
        assert abs(values[replicate] - np.mean(expected)) <= 1e-12


@pytest.mark.parametrize("levels", [1, 3, BLOCK - 1, BLOCK, BLOCK + 1, 3000, LEVELS])
def test_bootstraps_are_the_figures_of_added_histograms(levels: int) -> None:
    rng = np.random.default_rng(levels)
    cases = random_histograms(rng, levels)
    draws = draw(LABELS, 6, rng)
    expected = [one_by_one(cases, drawn) for drawn in draws]
    assert np.allclose(bootstrap_batches(cases, BATCHES, draws), expected, rtol=0, atol=1e-12)


def test_the_case_itself_in_every_place_gives_the_full_figure() -> None:
    cases = histograms(volumes(5))
    assert bootstrap_batches(cases, BATCHES, np.arange(10, dtype=np.int32)[np.newaxis]) == pytest.approx(
        one_by_one(cases, np.arange(10)), abs=1e-12
    )


def test_counts_too_large_for_32_bits_are_added_all_the_same() -> None:
    rng = np.random.default_rng(6)
    cases = [VoxelHistogram(case.positives << 20, case.negatives << 20) for case in random_histograms(rng, 5)]
    draws = draw(LABELS, 3, rng)
    assert stacked(cases, 3).negatives.dtype == np.uint64
    expected = [one_by_one(cases, drawn) for drawn in draws]
    assert np.allclose(bootstrap_batches(cases, BATCHES, draws), expected, rtol=0, atol=1e-12)


def test_a_batch_of_20_volumes_of_512_cubed_fits_into_32_bits() -> None:
    counts = np.zeros((2, LEVELS), dtype=np.int64)
    counts[:, 0] = 1, 512**3 - 1
    assert stacked([VoxelHistogram(*counts)], 20).negatives.dtype == np.uint32


def test_levels_without_a_positive_are_merged_downwards() -> None:
    counts = np.zeros((2, LEVELS), dtype=np.int64)
    counts[0, [3, 9]] = 1, 2
    counts[1, [1, 3, 4, 9, 100]] = 1, 10, 100, 1000, 10_000
    stack = stacked([VoxelHistogram(*counts)], 1)
    assert stack.positives[0, 0, :3].tolist() == [2, 1, 0]
    assert stack.negatives[0, 0, :3].tolist() == [11_000, 110, 0]
    assert stack.positives.shape == (1, 1, BLOCK)


def test_a_redrawn_batch_without_a_positive_voxel_is_named() -> None:
    draws = np.arange(10, dtype=np.int32)[np.newaxis].repeat(3, axis=0)
    draws[1, 2] = 1
    with pytest.raises(UndefinedMetric, match="batch 1: no positive voxel in 1 redrawn"):
        bootstrap_batches(histograms(volumes(7)), BATCHES, draws)


def test_cases_without_any_positive_voxel_are_undefined() -> None:
    normal = voxel_histogram(np.zeros(3), np.zeros(3, dtype=bool))
    with pytest.raises(UndefinedMetric, match="no case"):
        bootstrap_batches([normal] * 10, BATCHES, draw(LABELS, 1, np.random.default_rng(8)))


@pytest.mark.parametrize(
    ("batches", "draws", "said"),
    [
        ([], np.zeros((1, 10)), "batches"),
        ([[0], []], np.zeros((1, 10)), "batches"),
        ([[0, 10]], np.zeros((1, 10)), "none of 10 cases"),
        ([[-1]], np.zeros((1, 10)), "none of 10 cases"),
        ([[0]], np.full((1, 10), 10), "none of 10 cases"),
        ([[0]], np.zeros((1, 9)), "do not redraw 10 cases"),
        ([[0]], np.zeros(10), "do not redraw 10 cases"),
    ],
)
def test_indices_that_name_no_case_are_refused(
    batches: list[list[int]], draws: NDArray[np.float64], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        bootstrap_batches(histograms(volumes(9)), batches, draws.astype(np.int32))


def test_entrants_share_the_draws_and_do_not_influence_each_other() -> None:
    entrants = [histograms(volumes(seed)) for seed in (10, 11, 12)]
    draws = draw(LABELS, 20, np.random.default_rng(13))
    values = bootstrap_entrants([iter(cases) for cases in entrants], BATCHES, draws)
    alone = [bootstrap_batches(cases, BATCHES, draws) for cases in entrants]
    assert np.array_equal(values, np.stack(alone, axis=1))


def test_of_nobody_there_are_no_bootstraps() -> None:
    draws = draw(LABELS, 20, np.random.default_rng(14))
    assert bootstrap_entrants([], BATCHES, draws).shape == (20, 0)


@given(st.integers(1, 4), st.integers(1, 6), st.integers(0, 1000))
def test_each_bootstrap_is_placed_like_a_board(datasets: int, entrants: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = {str(name): rng.integers(0, 4, (9, entrants)) / 4 for name in range(datasets)}
    drawn = stability(values)
    for replicate in range(9):
        columns = {name: places(rows[replicate].tolist()) for name, rows in values.items()}
        assert {name: rows[replicate].tolist() for name, rows in drawn.places.items()} == columns
        assert drawn.consensus[replicate].tolist() == consensus(columns)


VALUES = {
    "brain": np.array([[0.9, 0.5, 0.1], [0.9, 0.5, 0.1], [0.5, 0.9, 0.1], [0.5, 0.5, 0.1]]),
    "abdom": np.array([[0.9, 0.5, 0.1], [0.5, 0.9, 0.1], [0.5, 0.9, 0.1], [0.5, 0.5, 0.5]]),
}


def test_the_share_of_bootstraps_in_each_place_is_as_counted_by_hand() -> None:
    shares = stability(VALUES).shares()
    assert np.array_equal(shares, [[0.75, 0.25, 0], [0.75, 0.25, 0], [0, 0, 1]])
    assert np.array_equal(stability(VALUES).shares("abdom")[2], [0.25, 0, 0.75])


def test_an_interval_of_places_goes_to_the_outer_one() -> None:
    """Of 200 bootstraps, two put the last first and ten swap the first two."""
    values = np.tile([0.9, 0.5, 0.1], (200, 1))
    values[:2] = 0.1, 0.5, 0.9
    values[2:12] = 0.5, 0.9, 0.1
    drawn = stability({"brain": values})
    assert drawn.interval() == [(1, 2), (1, 2), (3, 3)]
    assert drawn.interval(level=0.999) == [(1, 3), (1, 2), (1, 3)]
    assert drawn.interval(level=0.5) == [(1, 1), (2, 2), (3, 3)]


def test_an_interval_covers_at_least_its_level() -> None:
    values = np.random.default_rng(15).random((501, 6))
    drawn = stability({"brain": values})
    for entrant, (first, last) in enumerate(drawn.interval(dataset="brain")):
        inside = (drawn.places["brain"][:, entrant] >= first) & (drawn.places["brain"][:, entrant] <= last)
        assert inside.mean() >= 0.95
    for entrant, (low, high) in enumerate(drawn.value_intervals("brain")):
        covered = ((values[:, entrant] >= low) & (values[:, entrant] <= high)).mean()
        assert 0.95 <= covered < 0.96


@given(arrays(np.int64, (6, 5), elements=st.integers(0, 3)), st.permutations([1, 2, 3, 3, 5]))
def test_tau_equals_scipy_wherever_it_is_defined(values: NDArray[np.int64], full: list[int]) -> None:
    drawn = stability({"brain": np.vstack([values, np.arange(5)]).astype(float)})
    expected = [kendalltau(row, full, variant="b").statistic for row in drawn.consensus]
    taus = drawn.tau(full)
    assert np.allclose(taus, [tau for tau in expected if not np.isnan(tau)], rtol=0, atol=1e-12)


def test_a_bootstrap_that_tells_nobody_apart_has_no_tau() -> None:
    drawn = stability({"brain": np.array([[0.5, 0.5, 0.5], [0.9, 0.5, 0.1]])})
    assert drawn.tau([1, 2, 3]).tolist() == pytest.approx([1.0], abs=1e-12)


def test_tau_is_undefined_with_a_reason() -> None:
    drawn = stability({"brain": np.array([[0.9, 0.5]]), "knee": np.array([[0.5, 0.5]])})
    with pytest.raises(UndefinedMetric, match="the full ranking is one big tie"):
        drawn.tau([1, 1])
    with pytest.raises(UndefinedMetric, match="every bootstrap's ranking is one big tie"):
        drawn.tau([1, 2], "knee")
    with pytest.raises(ValueError, match="3 places do not match 2 entrants"):
        drawn.tau([1, 2, 3])


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"brain": np.array([[0.1, np.nan]])}, "NaN"),
        ({"brain": np.zeros((2, 3)), "abdom": np.zeros((2, 2))}, "same"),
        ({}, "same"),
    ],
)
def test_values_that_do_not_rank_are_refused(values: dict[str, NDArray[np.float64]], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        stability(values)


def test_leaving_out_a_batch_ranks_by_the_others() -> None:
    values = np.array([[0.9, 0.1, 0.2], [0.3, 0.3, 0.3]])
    left = leave_one_batch_out({"brain": values, "abdom": values[::-1]})
    assert left == {"brain": [[2, 1], [1, 2], [1, 2]], "abdom": [[1, 2], [2, 1], [2, 1]]}


def test_a_single_batch_cannot_be_left_out() -> None:
    with pytest.raises(UndefinedMetric, match="brain has one batch"):
        leave_one_batch_out({"brain": np.array([[0.1], [0.2]])})


def test_more_cases_make_the_places_surer() -> None:
    """Two entrants of different skill: over eight times the cases, fewer bootstraps turn them round."""
    turned = []
    for cases in (30, 240):
        rng = np.random.default_rng(16)
        labels = np.arange(cases) % 2
        skills = (1.0, 0.6)
        scores = [skill * labels + rng.normal(size=cases) for skill in skills]
        draws = draw(labels, 400, rng)
        values = np.stack([bootstrap_cases(labels, score, draws) for score in scores], axis=1)
        turned.append(stability({"brain": values}).shares()[0, 1])
    assert all(later < earlier for earlier, later in pairwise(turned))
