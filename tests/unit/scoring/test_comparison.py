"""Pairwise tests, Holm's correction worked out by hand, and groups that cannot be told apart."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from scoring.comparison import bootstrap_greater, holm, indistinguishable, pairwise, wilcoxon_greater


def test_the_signed_rank_test_is_exact_for_few_batches() -> None:
    """All of n differences positive: one of 2^n equally likely sign patterns."""
    a = np.array([0.5, 0.6, 0.7, 0.8, 0.9])
    b = a - np.array([0.01, 0.02, 0.03, 0.04, 0.05])
    assert wilcoxon_greater(a, b) == pytest.approx(1 / 2**5, abs=1e-15)
    assert wilcoxon_greater(b, a) == 1.0


def test_the_signed_rank_test_counts_the_sign_patterns_as_by_hand() -> None:
    """Only the smallest of four differences is negative: 2 of 16 sign patterns are at least as extreme."""
    assert wilcoxon_greater(np.array([0.0, 0.2, 0.3, 0.4]), np.array([0.1, 0, 0, 0])) == 2 / 16


def test_equal_batches_speak_for_nobody() -> None:
    values = np.array([0.1, 0.2, 0.3])
    assert wilcoxon_greater(values, values) == 1.0
    assert bootstrap_greater(values, values) == 1.0


def test_the_paired_bootstrap_never_gives_zero() -> None:
    assert bootstrap_greater(np.ones(999), np.zeros(999)) == pytest.approx(1 / 1000, abs=1e-15)
    a, b = np.array([0.3, 0.4, 0.5, 0.6]), np.array([0.2, 0.4, 0.6, 0.1])
    assert bootstrap_greater(a, b) == pytest.approx(3 / 5, abs=1e-15)


@pytest.mark.parametrize("test", [wilcoxon_greater, bootstrap_greater])
@pytest.mark.parametrize(
    ("a", "b"), [([0.1, np.nan], [0.1, 0.2]), ([0.1], [0.1, 0.2]), ([], []), ([[0.1]], [[0.2]])]
)
def test_values_that_are_no_pairs_are_refused(test: object, a: list[float], b: list[float]) -> None:
    with pytest.raises(ValueError, match=r"paired|NaN"):
        test(np.array(a), np.array(b))


def test_pairs_are_tested_in_both_directions() -> None:
    values = np.array([[0.5, 0.6, 0.7], [0.1, 0.3, 0.2]])
    p = pairwise(values, wilcoxon_greater)
    assert np.array_equal(p, [[1, 1 / 8], [1, 1]])


def test_holm_steps_down_as_by_hand() -> None:
    """Six p-values sorted: .001×6, .01×5, .03×4, .02 more would fall back, so they take what came before."""
    p = np.array([[0, 0.01, 0.04], [0.03, 0, 0.001], [0.5, 0.045, 0]])
    expected = [[1, 0.05, 0.12], [0.12, 1, 0.006], [0.5, 0.12, 1]]
    assert np.allclose(holm(p), expected, rtol=0, atol=1e-15)


def test_holm_never_leaves_the_unit_interval() -> None:
    assert np.array_equal(holm(np.full((3, 3), 0.9)), np.ones((3, 3)))
    assert np.array_equal(holm(np.zeros((2, 2))), np.eye(2))


@given(arrays(np.float64, (4, 4), elements=st.floats(0, 1)), st.floats(0.001, 0.999))
def test_holm_rejects_what_the_sequential_procedure_rejects(p: NDArray[np.float64], alpha: float) -> None:
    adjusted = holm(p)[~np.eye(4, dtype=bool)]
    single = p[~np.eye(4, dtype=bool)]
    rejected = set()
    for rank, pair in enumerate(np.argsort(single, kind="stable")):
        if single[pair] * (single.size - rank) > alpha:
            break
        rejected.add(int(pair))
    assert set(np.flatnonzero(adjusted <= alpha).tolist()) == rejected


@pytest.mark.parametrize("p", [np.ones((2, 3)), np.ones(4)])
def test_holm_takes_a_square_table(p: NDArray[np.float64]) -> None:
    with pytest.raises(ValueError, match="square"):
        holm(p)


@pytest.mark.parametrize("value", [-0.1, 1.1, np.nan])
def test_holm_takes_p_values_only(value: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm(np.array([[0, value], [0.5, 0]]))


def table(entrants: int, *pairs: tuple[int, int]) -> NDArray[np.bool_]:
    significant = np.zeros((entrants, entrants), dtype=bool)
    for better, worse in pairs:
        significant[better, worse] = True
    return significant


def test_groups_are_neighbours_of_whom_nobody_beats_another() -> None:
    significant = table(4, (2, 1), (2, 3), (0, 1), (0, 3))
    assert indistinguishable([2, 0, 3, 1], significant) == [[2, 0], [3, 1]]


def test_groups_may_overlap() -> None:
    assert indistinguishable([0, 1, 2], table(3, (0, 2))) == [[0, 1], [1, 2]]


def test_somebody_apart_from_both_neighbours_is_alone() -> None:
    assert indistinguishable([0, 1, 2], table(3, (0, 1), (0, 2), (1, 2))) == [[0], [1], [2]]


def test_a_lower_place_may_win_against_a_higher_one() -> None:
    """Places are by the consensus, tests by one dataset."""
    assert indistinguishable([0, 1], table(2, (1, 0))) == [[0], [1]]


def test_nobody_makes_no_group() -> None:
    assert indistinguishable([], table(0)) == []


@given(arrays(np.bool_, (6, 6)), st.permutations(range(6)))
def test_groups_are_all_the_runs_that_cannot_be_longer(
    significant: NDArray[np.bool_], order: list[int]
) -> None:
    def alike(run: list[int]) -> bool:
        return not any(significant[a, b] or significant[b, a] for a, b in combinations(run, 2))

    runs = [order[start:stop] for start in range(6) for stop in range(start + 1, 7)]
    alike_runs = [run for run in runs if alike(run)]
    longest = [run for run in alike_runs if not any(set(run) < set(other) for other in alike_runs)]
    assert indistinguishable(order, significant) == longest
