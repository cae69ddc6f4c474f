import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets.batches import arrange


@st.composite
def _counts(draw: st.DrawFn) -> tuple[int, int, int]:
    size = draw(st.integers(2, 25))
    total = draw(st.integers(1, 120))
    positives = draw(st.integers(-(-total // size), total))
    return positives, total - positives, size


@given(_counts(), st.integers(0, 2**32))
def test_two_arrangements_hold_every_case_once_and_a_positive_in_every_batch(
    counts: tuple[int, int, int], seed: int
) -> None:
    positives = [f"p{i}" for i in range(counts[0])]
    negatives = [f"n{i}" for i in range(counts[1])]
    arrangements = arrange(positives, negatives, counts[2], 2, np.random.default_rng(seed))
    assert len(arrangements) == 2
    for batches in arrangements:
        assert sorted(case for batch in batches for case in batch) == sorted(positives + negatives)
        assert all(len(batch) == counts[2] for batch in batches[:-1])
        assert 1 <= len(batches[-1]) <= counts[2]
        assert all(set(batch) & set(positives) for batch in batches)
    if len(arrangements[0]) > 1:
        first, second = ({frozenset(batch) for batch in batches} for batches in arrangements)
        assert first != second


def test_the_original_count_of_542_cases_ends_in_a_short_batch_of_two() -> None:
    positives, negatives = [f"p{i}" for i in range(271)], [f"n{i}" for i in range(271)]
    first, _ = arrange(positives, negatives, 20, 2, np.random.default_rng(0))
    assert [len(batch) for batch in first] == [20] * 27 + [2]


def test_too_few_positives_are_an_error_that_says_what_to_change() -> None:
    with pytest.raises(ValueError, match="raise `abnormal_share` or `batch_size`"):
        arrange(["p"], ["n1", "n2", "n3"], 2, 2, np.random.default_rng(0))


def test_the_generator_decides_the_arrangement() -> None:
    cases = [f"p{i}" for i in range(9)], [f"n{i}" for i in range(9)]
    assert arrange(*cases, 4, 2, np.random.default_rng(1)) == arrange(*cases, 4, 2, np.random.default_rng(1))
    assert arrange(*cases, 4, 2, np.random.default_rng(1)) != arrange(*cases, 4, 2, np.random.default_rng(2))
