"""Places and their consensus; the published tables of MOOD 2020 come out of the published figures."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.ranking import consensus, places

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
