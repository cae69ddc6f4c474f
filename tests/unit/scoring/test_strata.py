"""Strata of equal counts, bins of sizes and contrasts, and the figures of each."""

from itertools import pairwise
from math import inf, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from scoring.average_precision import NotFinite, UndefinedMetric
from scoring.histograms import VoxelHistogram, voxel_histogram
from scoring.strata import (
    Bin,
    bins,
    equal_counts,
    stratified_average_precision,
    stratified_voxel_average_precision,
)
from scoring.undefined import Figure

Cases = tuple[NDArray[np.int64], list[str | None]]


@st.composite
def cases(draw: st.DrawFn) -> Cases:
    """Labels with a normal case, and the abnormal cases' groups; a normal case may name one by mistake."""
    size = draw(st.integers(1, 40))
    labels = np.array(draw(st.lists(st.integers(0, 1), min_size=size, max_size=size)))
    labels[draw(st.integers(0, size - 1))] = 0
    groups = draw(st.lists(st.sampled_from(["sink", "source", "shape", None]), min_size=size, max_size=size))
    return labels, groups


def generator(seed: int = 3) -> np.random.Generator:
    return np.random.default_rng(seed)


@given(cases(), st.integers(0, 100))
def test_a_stratum_has_as_many_normal_as_abnormal_cases_and_none_twice(case: Cases, seed: int) -> None:
    labels, groups = case
    strata = equal_counts(labels, groups, generator(seed))
    for group, places in strata.items():
        members = {i for i, (label, g) in enumerate(zip(labels, groups, strict=True)) if label and g == group}
        abnormal, normal = places[labels[places] == 1], places[labels[places] == 0]
        assert len(abnormal) == len(normal) == min(len(members), np.count_nonzero(labels == 0))
        assert set(abnormal) <= members
        assert np.array_equal(places, np.unique(places))


@given(cases())
def test_every_group_with_an_abnormal_case_is_there_in_order_of_appearance(case: Cases) -> None:
    labels, groups = case
    present = [g for label, g in zip(labels, groups, strict=True) if label and g is not None]
    assert list(equal_counts(labels, groups, generator())) == list(dict.fromkeys(present))


@given(cases(), st.integers(0, 100))
def test_the_draw_of_a_group_does_not_depend_on_the_others(case: Cases, seed: int) -> None:
    labels, groups = case
    alone = equal_counts(labels, [group if group == "sink" else None for group in groups], generator(seed))
    together = equal_counts(labels, groups, generator(seed))
    assert all(np.array_equal(alone[group], together[group]) for group in alone)


def test_groups_of_one_size_share_their_normal_cases() -> None:
    labels, groups = [1] * 6 + [0] * 50, ["a"] * 3 + ["b"] * 3 + [None] * 50
    strata = equal_counts(labels, groups, generator())
    assert np.array_equal(strata["a"][3:], strata["b"][3:])


def test_seeds_draw_different_cases_and_a_seed_the_same() -> None:
    labels, groups = [1] * 5 + [0] * 100, ["a"] * 5 + [None] * 100
    one, again, other = (equal_counts(labels, groups, generator(seed))["a"] for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_every_normal_case_is_drawn_as_often_as_another() -> None:
    labels, groups = [1, 1, 0, 0, 0, 0], ["a", "a", None, None, None, None]
    rng = generator()
    drawn = np.concatenate([equal_counts(labels, groups, rng)["a"] for _ in range(2000)])
    # Each of four is in half of the draws; the standard deviation of 2000 is 22.
    assert np.abs(np.bincount(drawn)[2:] - 1000).max() < 110


def test_too_few_normal_cases_draw_the_abnormal_ones_down() -> None:
    places = equal_counts([1, 1, 1, 1, 0, 0], ["a"] * 6, generator())["a"]
    assert len(places) == 4
    assert list(places[2:]) == [4, 5]


def test_without_normal_cases_there_is_no_stratum_and_the_reason_is_said() -> None:
    with pytest.raises(UndefinedMetric, match="no case is normal"):
        equal_counts([1, 1], ["a", "b"], generator())


def test_labels_and_groups_that_do_not_match_are_refused() -> None:
    with pytest.raises(ValueError, match="labels"):
        equal_counts([1, 0], ["a"], generator())
    with pytest.raises(ValueError, match="labels"):
        equal_counts([2, 0], ["a", None], generator())


def test_a_few_different_values_are_a_bin_each() -> None:
    assert bins([0.5, 0.25, None, 0.5], 3) == [Bin(0.5, 0.5), Bin(0.25, 0.25), None, Bin(0.5, 0.5)]


def test_many_different_values_fall_into_bins_of_about_equal_shares() -> None:
    found = bins([*range(10), None], 3)
    assert found == [*[Bin(0, 3)] * 4, *[Bin(4, 6)] * 3, *[Bin(7, 9)] * 3, None]
    assert Bin(4, 6).middle == 5


def test_a_value_that_half_of_the_cases_have_leaves_fewer_bins() -> None:
    assert set(bins([1, 2, 2, 2, 2, 2, 2, 3], 3)) == {Bin(1, 1), Bin(2, 2), Bin(3, 3)}
    assert set(bins([1, 2, 2, 2, 2, 2, 3, 4], 3)) == {Bin(1, 2), Bin(3, 4)}


@given(st.lists(st.one_of(st.none(), st.floats(0, 9), st.integers(0, 3)), max_size=40), st.integers(1, 8))
def test_bins_hold_their_values_and_do_not_overlap(values: list[float | None], count: int) -> None:
    found = bins(values, count)
    for value, held in zip(values, found, strict=True):
        assert (held is None) == (value is None)
        assert held is None or held.low <= value <= held.high
    distinct = sorted({held for held in found if held is not None})
    assert len(distinct) <= count
    assert all(one.high < other.low for one, other in pairwise(distinct))
    assert {end for held in distinct for end in (held.low, held.high)} <= set(values)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60, unique=True), st.integers(1, 8))
def test_bins_of_different_values_differ_by_one_case_at_most(values: list[float], count: int) -> None:
    sizes = np.unique([held.low for held in bins(values, count)], return_counts=True)[1]
    assert len(sizes) == min(count, len(values))
    assert sizes.max() - sizes.min() <= 1


@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_a_value_that_is_not_finite_has_no_bin(value: float) -> None:
    with pytest.raises(NotFinite):
        bins([0.5, value], 2)


def test_no_bins_at_all_are_refused() -> None:
    with pytest.raises(ValueError, match="bin"):
        bins([0.5], 0)


def test_bins_are_groups() -> None:
    contrasts = [0.1, 0.9, None, None, 0.1]
    strata = equal_counts([1, 1, 0, 0, 1], bins(contrasts, 20), generator())
    assert sorted(strata) == [Bin(0.1, 0.1), Bin(0.9, 0.9)]
    assert list(strata[Bin(0.1, 0.1)]) == [0, 2, 3, 4]


LABELS = np.array([1, 1, 0, 1, 0, 0, 1, 0])
GROUPS = ["a", "b", None, "a", None, None, "b", None]


def test_case_figures_are_those_of_the_stratum_alone() -> None:
    scores = generator().random(8)
    strata = equal_counts(LABELS, GROUPS, generator())
    found = stratified_average_precision(LABELS, scores, strata)
    assert list(found) == ["a", "b"]
    for group, places in strata.items():
        labels, values = LABELS[places], scores[places]
        assert (found[group].abnormal, found[group].normal) == (2, 2)
        assert found[group].average_precision.value == pytest.approx(
            average_precision_score(labels, values), abs=1e-12
        )
        assert found[group].auroc.value == pytest.approx(roc_auc_score(labels, values), abs=1e-12)
        least = min(values[labels == 1])
        assert found[group].false_positive_rate.value == np.mean(values[labels == 0] >= least)


def test_a_stratum_of_one_class_says_what_is_undefined_and_why() -> None:
    found = stratified_average_precision([1, 1], [0.5, 0.7], {"a": np.array([0, 1])})["a"]
    assert found.average_precision == Figure(1.0)
    assert found.auroc == Figure(None, "AUROC needs at least one negative")
    assert found.false_positive_rate.value is None


def test_scores_that_are_not_finite_stop_everything() -> None:
    with pytest.raises(NotFinite):
        stratified_average_precision([1, 0], [0.5, nan], {"a": np.array([0, 1])})


def volumes() -> tuple[list[NDArray[np.float64]], list[NDArray[np.bool_]]]:
    rng = generator()
    masks = [(rng.random(50) < 0.2) & bool(label) for label in LABELS]
    return [np.round(rng.random(50) + 0.3 * mask, 2).clip(0, 1) for mask in masks], masks


def test_voxel_figures_are_pooled_over_the_stratum_with_the_mean_of_cases_beside() -> None:
    scores, masks = volumes()
    histograms = [voxel_histogram(score, mask) for score, mask in zip(scores, masks, strict=True)]
    strata = equal_counts(LABELS, GROUPS, generator())
    for group, found in stratified_voxel_average_precision(LABELS, histograms, strata).items():
        values = [scores[place].astype(np.float16) for place in strata[group]]
        labels = [masks[place] for place in strata[group]]
        pooled = average_precision_score(np.concatenate(labels), np.concatenate(values))
        alone = [average_precision_score(m, v) for m, v in zip(labels, values, strict=True) if m.any()]
        assert found.average_precision.value == pytest.approx(pooled, abs=1e-12)
        assert found.mean_over_cases.value == pytest.approx(np.mean(alone), abs=1e-12)
        assert found.cases_with_value == len(alone) == 2
        assert (found.abnormal, found.normal) == (2, 2)
        assert found.positive_share == np.mean(labels)


def test_a_stratum_without_an_abnormal_voxel_says_so_instead_of_zero() -> None:
    normal: VoxelHistogram = voxel_histogram(np.zeros(3), np.zeros(3, dtype=np.bool_))
    found = stratified_voxel_average_precision([0], [normal], {"a": np.array([0])})["a"]
    assert found.average_precision.value is None
    assert "positive" in str(found.average_precision.undefined)
    assert found.mean_over_cases == Figure(None, "the metric is undefined for every case")
    assert (found.cases_with_value, found.positive_share) == (0, 0.0)


@pytest.mark.parametrize("shown", [(None, None), (0.5, "why")])
def test_a_figure_has_a_value_or_a_reason_but_never_both_nor_neither(
    shown: tuple[float | None, str | None],
) -> None:
    with pytest.raises(ValueError, match="either"):
        Figure(*shown)
