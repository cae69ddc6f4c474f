"""Voxel histograms: exact against scikit-learn on float16, additive, and safe to store."""

from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from scoring.average_precision import UndefinedMetric, average_precision
from scoring.histograms import (
    LEVELS,
    TOP,
    DamagedHistogram,
    NotFinite,
    VoxelHistogram,
    absent_histogram,
    voxel_histogram,
)

SHAPE = (3, 4, 5)
finite = st.floats(-2, 3, width=32) | st.sampled_from([0.0, -0.0, 1.0, 0.5, 6e-8, 65519.0, 65520.0, -1e30])


@st.composite
def volumes(draw: st.DrawFn) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Scores within and without [0, 1], and a mask with at least one abnormal voxel."""
    mask = draw(arrays(np.bool_, SHAPE))
    mask.flat[draw(st.integers(0, mask.size - 1))] = True
    return draw(arrays(np.float32, SHAPE, elements=finite)), mask


def as_challenge_reads(scores: NDArray[Any]) -> NDArray[np.float64]:
    """Clipped float16 values, as float64 for scikit-learn."""
    half: NDArray[np.float16] = np.clip(scores, 0, 1).astype(np.float16)
    return half.astype(np.float64).ravel()


@given(volumes())
def test_it_equals_scikit_learn_on_clipped_float16_scores(case: tuple[Any, Any]) -> None:
    scores, mask = case
    expected = average_precision_score(mask.ravel(), as_challenge_reads(scores))
    assert abs(voxel_histogram(scores, mask).average_precision() - expected) <= 1e-12


@given(st.lists(volumes(), min_size=1, max_size=4))
def test_the_sum_of_histograms_is_the_histogram_of_the_batch(cases: list[tuple[Any, Any]]) -> None:
    total = voxel_histogram(*cases[0])
    for scores, mask in cases[1:]:
        total = total + voxel_histogram(scores, mask)
    scores = np.concatenate([scores for scores, _ in cases])
    mask = np.concatenate([mask for _, mask in cases])
    assert total == voxel_histogram(scores, mask)
    expected = average_precision_score(mask.ravel(), as_challenge_reads(scores))
    assert abs(total.average_precision() - expected) <= 1e-12


@given(volumes())
def test_the_layout_in_memory_does_not_matter(case: tuple[Any, Any]) -> None:
    scores, mask = case
    expected = voxel_histogram(scores, mask)
    assert voxel_histogram(np.asfortranarray(scores), mask) == expected
    assert voxel_histogram(np.asfortranarray(scores), np.asfortranarray(mask)) == expected
    assert voxel_histogram(scores[::-1].astype(">f4"), mask[::-1]) == expected


def test_every_float16_between_zero_and_one_has_its_own_level() -> None:
    values = np.arange(LEVELS, dtype=np.uint16).view(np.float16)
    histogram = voxel_histogram(values, np.zeros(LEVELS, dtype=bool))
    assert np.array_equal(histogram.negatives, np.ones(LEVELS))
    assert values[[0, TOP]].tolist() == [0.0, 1.0]
    assert np.all(np.diff(values.astype(np.float64)) > 0)


@pytest.mark.parametrize(
    ("score", "level"), [(-0.0, 0), (-7.0, 0), (1e-9, 0), (0.99999, TOP), (70000.0, TOP)]
)
def test_scores_beyond_the_range_count_at_its_ends(score: float, level: int) -> None:
    histogram = voxel_histogram(np.array([score]), np.array([True]))
    assert np.flatnonzero(histogram.positives).tolist() == [level]


def test_float64_is_rounded_once() -> None:
    """Just above the middle of two float16; by way of float32 it would be the middle, and go down to even."""
    score = np.float64(0.5) + 2.0**-12 + 2.0**-40
    histogram = voxel_histogram(np.array([score]), np.array([True]))
    assert np.flatnonzero(histogram.positives).tolist() == [int(np.float16(0.5).view(np.uint16)) + 1]


@pytest.mark.parametrize("kind", [np.bool_, np.uint8, np.int16, np.float16, np.float32, np.float64])
def test_scores_of_any_real_type_are_counted(kind: type[np.generic]) -> None:
    histogram = voxel_histogram(np.array([0, 1, 1]).astype(kind), np.array([False, False, True]))
    assert (histogram.negatives[0], histogram.negatives[TOP], histogram.positives[TOP]) == (1, 1, 1)


def test_volumes_of_many_chunks_equal_scikit_learn() -> None:
    generator = np.random.default_rng(2)
    mask = generator.random((130, 128, 128)) < 0.01
    scores = (generator.random(mask.shape) ** 4 + 0.2 * mask).astype(np.float32)
    expected = average_precision(mask.ravel(), as_challenge_reads(scores))
    assert abs(voxel_histogram(scores, mask).average_precision() - expected) <= 1e-12


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_not_finite_is_refused(value: float) -> None:
    with pytest.raises(NotFinite):
        voxel_histogram(np.array([0.5, value]), np.array([True, False]))


@pytest.mark.parametrize(
    ("scores", "mask"),
    [
        (np.zeros(2), np.zeros(3, dtype=bool)),
        (np.zeros((2, 1)), np.zeros(2, dtype=bool)),
        (np.zeros(2), np.zeros(2)),
        (np.zeros(2, dtype=complex), np.zeros(2, dtype=bool)),
    ],
)
def test_volumes_that_do_not_fit_are_refused(scores: NDArray[Any], mask: NDArray[Any]) -> None:
    with pytest.raises(ValueError, match=r"mask|real numbers"):
        voxel_histogram(scores, mask)


def test_a_case_without_an_abnormal_voxel_is_undefined_by_itself() -> None:
    histogram = voxel_histogram(np.zeros(3), np.zeros(3, dtype=bool))
    with pytest.raises(UndefinedMetric):
        histogram.average_precision()


@given(volumes())
def test_stored_bytes_bring_back_the_same_histogram(case: tuple[Any, Any]) -> None:
    histogram = voxel_histogram(*case)
    assert VoxelHistogram.from_bytes(histogram.to_bytes()) == histogram


def test_counts_too_large_for_32_bits_survive_storage() -> None:
    counts = np.zeros(LEVELS, dtype=np.int64)
    counts[7] = 1 << 40
    histogram = VoxelHistogram(counts, counts)
    assert VoxelHistogram.from_bytes(histogram.to_bytes()) == histogram


def test_stored_bytes_are_far_smaller_than_the_counts() -> None:
    generator = np.random.default_rng(3)
    histogram = voxel_histogram(generator.random(64**3), generator.random(64**3) < 0.01)
    assert len(histogram.to_bytes()) < 2 * LEVELS * 8 / 10


def test_damage_anywhere_is_noticed() -> None:
    stored = voxel_histogram(np.linspace(0, 1, 50), np.arange(50) % 7 == 0).to_bytes()
    for position in range(len(stored)):
        damaged = bytearray(stored)
        damaged[position] ^= 1
        with pytest.raises(DamagedHistogram):
            VoxelHistogram.from_bytes(bytes(damaged))


@pytest.mark.parametrize("change", [lambda b: b[:-1], lambda b: b + b"\0", lambda b: b"", lambda b: b[:3]])
def test_a_cut_or_a_longer_file_is_noticed(change: Any) -> None:
    stored = voxel_histogram(np.linspace(0, 1, 50), np.arange(50) % 7 == 0).to_bytes()
    with pytest.raises(DamagedHistogram):
        VoxelHistogram.from_bytes(change(stored))


@pytest.mark.parametrize(("policy", "normal"), [("zero", 0), ("worst", TOP)])
def test_an_absent_case_counts_by_the_policy(policy: Literal["zero", "worst"], normal: int) -> None:
    mask = np.array([True, False, False])
    histogram = absent_histogram(mask, policy)
    assert (histogram.positives[0], histogram.negatives[normal]) == (1, 2)
    assert (histogram.positives.sum(), histogram.negatives.sum()) == (1, 2)


def test_an_absent_case_has_no_score_where_it_rejects_the_submission() -> None:
    with pytest.raises(ValueError, match="reject"):
        absent_histogram(np.array([True]), "reject")


def test_counts_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="int64"):
        VoxelHistogram(np.zeros(3, dtype=np.int64), np.zeros(3, dtype=np.int64))
