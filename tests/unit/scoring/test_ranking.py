"""Places and their consensus; the published tables of MOOD 2020 come out of the published figures."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.average_precision import UndefinedMetric
from scoring.ranking import (
    consensus,
    consensus_by_median,
    kendall_tau_b,
    places,
    places_by_tests,
    rank_then_aggregate,
)

Table = list[tuple[str, float, float, int]]

# (team, brain, abdom, published place); Zimmerer, thesis, section 4.1
SAMPLE: Table = [
    ("FPI", 0.962, 0.874, 1),
    ("Marimont", 0.873, 0.874, 2),
    ("Canon", 0.845, 0.871, 3),
    ("NUDT", 0.792, 0.876, 4),
    ("Tuluptceva", 0.840, 0.861, 5),
    ("A1", 0.831, 0.780, 6),
    ("Saase", 0.800, 0.770, 7),
    ("A2", 0.634, 0.816, 7),
]
PIXEL: Table = [
    ("FPI", 0.449, 0.394, 1),
    ("Canon", 0.416, 0.288, 2),
    ("Tuluptceva", 0.211, 0.221, 3),
    ("Marimont", 0.273, 0.217, 3),
    ("NUDT", 0.201, 0.239, 5),
    ("Saase", 0.204, 0.014, 6),
    ("A1", 0.160, 0.072, 7),
    ("A2", 0.002, 0.014, 8),
]


@pytest.mark.parametrize("table", [SAMPLE, PIXEL], ids=["sample", "pixel"])
def test_the_published_places_come_from_the_published_figures(
    table: Table,
) -> None:
    brain = places([row[1] for row in table])
    abdom = places([row[2] for row in table])
    assert consensus({"brain": brain, "abdom": abdom}) == [row[3] for row in table]


@pytest.mark.parametrize("table", [SAMPLE, PIXEL], ids=["sample", "pixel"])
def test_the_published_places_hang_on_no_choice_of_method(table: Table) -> None:
    """Of two places the median is the mean, datasets may stand for batches, every difference may count."""
    figures = np.array([row[1:3] for row in table])
    published = [row[3] for row in table]
    by_dataset = {"brain": places(figures[:, 0].tolist()), "abdom": places(figures[:, 1].tolist())}
    beats = figures[:, np.newaxis] > figures
    by_tests = {"brain": places_by_tests(beats[..., 0]), "abdom": places_by_tests(beats[..., 1])}
    assert consensus_by_median(by_dataset) == published
    assert rank_then_aggregate(figures) == published
    assert consensus(by_tests) == published


def test_one_bad_place_moves_the_mean_but_not_the_median() -> None:
    columns = {"brain": [1, 2, 3], "abdom": [1, 2, 3], "knee": [3, 1, 2]}
    assert consensus_by_median(columns) == [1, 2, 3]
    assert consensus(columns) == [1, 1, 3]


def test_aggregating_first_lets_one_batch_decide_and_ranking_first_does_not() -> None:
    values = np.array([[0.9, 0.1, 0.1], [0.2, 0.2, 0.2], [0.1, 0.15, 0.15]])
    assert places(values.mean(axis=1).tolist()) == [1, 2, 3]
    assert rank_then_aggregate(values) == [2, 1, 2]


def test_ranking_first_needs_batches() -> None:
    with pytest.raises(ValueError, match="batches"):
        rank_then_aggregate(np.array([0.1, 0.2]))


def test_the_test_based_place_counts_who_is_beaten() -> None:
    beats = np.zeros((4, 4), dtype=bool)
    beats[0, [2, 3]] = beats[1, [2, 3]] = beats[2, 3] = True
    assert places_by_tests(beats) == [1, 1, 3, 4]
    assert places_by_tests(np.zeros((3, 3), dtype=bool)) == [1, 1, 1]


def test_a_table_of_tests_is_square() -> None:
    with pytest.raises(ValueError, match="square"):
        places_by_tests(np.zeros((2, 3), dtype=bool))


def test_toy_against_test_is_answered_as_by_hand() -> None:
    """Of six pairs the toy cases tell five apart, the test cases all; four agree and one does not."""
    toy, test = [1, 2, 2, 4], [1, 3, 4, 2]
    assert kendall_tau_b(toy, test) == pytest.approx((3 - 2) / (5 * 6) ** 0.5, abs=1e-15)


def test_the_correlation_of_the_published_pixel_tables_is_that_of_the_thesis_kind() -> None:
    """Brain and abdomen agree on 22 of 28 pairs, disagree on 5, and the abdomen has one tie."""
    brain, abdom = (places([row[at] for row in PIXEL]) for at in (1, 2))
    assert kendall_tau_b(brain, abdom) == pytest.approx((22 - 5) / (28 * 27) ** 0.5, abs=1e-15)


@pytest.mark.parametrize("other", [[1, 1, 1], [3, 2, 1]])
def test_a_ranking_that_is_one_tie_correlates_with_nothing(other: list[int]) -> None:
    with pytest.raises(UndefinedMetric, match="apart"):
        kendall_tau_b([1, 1, 1], other)


def test_rankings_of_different_length_do_not_compare() -> None:
    with pytest.raises(ValueError, match="do not compare"):
        kendall_tau_b([1, 2], [1, 2, 3])


@given(st.lists(st.integers(1, 5), min_size=2, max_size=9).filter(lambda column: len(set(column)) > 1))
def test_a_ranking_agrees_with_itself_and_opposes_its_reverse(column: list[int]) -> None:
    assert kendall_tau_b(column, column) == pytest.approx(1, abs=1e-12)
    assert kendall_tau_b(column, [-place for place in column]) == pytest.approx(-1, abs=1e-12)


def test_equal_values_share_the_best_place() -> None:
    assert places([0.5, 0.9, 0.5, 0.1]) == [2, 1, 2, 4]


def test_a_value_that_does_not_exist_is_last_even_behind_zero() -> None:
    assert places([None, 0.0, None, 0.3]) == [3, 2, 3, 1]


def test_minus_zero_is_zero() -> None:
    assert places([0.0, -0.0]) == [1, 1]


def test_nobody_has_no_places() -> None:
    assert places([]) == []
    assert consensus({}) == []


def test_nan_is_refused() -> None:
    with pytest.raises(ValueError, match="NaN"):
        places([0.1, float("nan")])


def test_datasets_must_place_the_same_competitors() -> None:
    with pytest.raises(ValueError, match="same competitors"):
        consensus({"brain": [1, 2], "abdom": [1]})


def test_equal_means_share_the_best_place() -> None:
    assert consensus({"brain": [1, 3, 2], "abdom": [3, 1, 2], "knee": [2, 2, 1]}) == [2, 2, 1]


@given(st.lists(st.none() | st.sampled_from([0.0, 0.1, 0.25, 1.0]), max_size=12))
def test_a_place_is_one_more_than_the_number_of_those_ahead(values: list[float | None]) -> None:
    keys = [-1.0 if value is None else value for value in values]
    assert places(values) == [1 + sum(other > key for other in keys) for key in keys]


@given(st.lists(st.integers(1, 9), min_size=1, max_size=9))
def test_one_dataset_alone_decides(column: list[int]) -> None:
    assert consensus({"only": column}) == places([-float(place) for place in column])
