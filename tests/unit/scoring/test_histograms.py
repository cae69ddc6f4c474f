"""Voxel histograms: exact against scikit-learn on float16, additive, and safe to store."""

import tracemalloc
import zlib
from typing import Any, Literal

import numpy as np
import pytest
import zstandard
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
    _digest,
    absent_histogram,
    level_of,
    levels_of,
    threshold_of,
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


def first_version(counts: bytes) -> bytes:
    """The form in which histograms were stored at first."""
    body = zlib.compress(counts)
    return b"MAVH\x01" + _digest(b"MAVH\x01", body) + body


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


@pytest.mark.parametrize("bits", [1, 6, 7, 8, 15, 16, 22, 23, 24, 31, 32, 40, 62, 63])
def test_counts_of_any_size_survive_storage(bits: int) -> None:
    generator = np.random.default_rng(bits)
    positives, negatives = generator.integers(0, (1 << bits) - 1, (2, LEVELS), endpoint=True)
    positives[7], negatives[TOP] = (1 << bits) - 1, 0
    histogram = VoxelHistogram(positives, negatives)
    assert VoxelHistogram.from_bytes(histogram.to_bytes()) == histogram


def test_what_the_first_version_stored_is_still_read() -> None:
    histogram = voxel_histogram(np.linspace(0, 1, 50), np.arange(50) % 7 == 0)
    stored = first_version(np.stack([histogram.positives, histogram.negatives]).astype("<i8").tobytes())
    assert VoxelHistogram.from_bytes(stored) == histogram


def test_stored_bytes_are_far_smaller_than_the_counts() -> None:
    generator = np.random.default_rng(3)
    mask = generator.random(128**3) < 0.01
    masked = np.where(generator.random(mask.size) < 0.25, generator.random(mask.size), 0)
    for scores, bytes_at_most in ((masked, 14_000), (generator.random(mask.size), 16_000)):
        assert len(voxel_histogram(scores, mask).to_bytes()) < bytes_at_most


@pytest.mark.parametrize("bit", [0, 3, 7])
def test_damage_anywhere_is_noticed(bit: int) -> None:
    histogram = voxel_histogram(np.linspace(0, 1, 50), np.arange(50) % 7 == 0)
    counts = np.stack([histogram.positives, histogram.negatives]).astype("<i8").tobytes()
    for stored in (histogram.to_bytes(), first_version(counts)):
        for position in range(len(stored)):
            damaged = bytearray(stored)
            damaged[position] ^= 1 << bit
            with pytest.raises(DamagedHistogram):
                VoxelHistogram.from_bytes(bytes(damaged))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\0" + zstandard.compress(b""),
        b"\x09" + zstandard.compress(bytes(18 * LEVELS)),
        b"\x01" + zstandard.compress(bytes(1 << 26)),
        b"\x01" + zstandard.compress(bytes(2 * LEVELS - 1)),
        b"\x01" + zstandard.compress(bytes(2 * LEVELS))[:-1],
        b"\x01" + zstandard.compress(bytes(2 * LEVELS)) + b"\0",
        b"\x01" + zstandard.ZstdCompressor(write_content_size=False).compress(bytes(1 << 20)),
        b"\x01no zstd",
    ],
)
def test_bodies_that_are_no_counts_are_refused_even_with_a_sound_digest(body: bytes) -> None:
    tracemalloc.start()
    with pytest.raises(DamagedHistogram):
        VoxelHistogram.from_bytes(b"MAVH\x02" + _digest(b"MAVH\x02", body) + body)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 << 20


@pytest.mark.parametrize("flat", [b"", bytes(16 * LEVELS - 8), bytes(16 * LEVELS + 1), bytes(32 << 20)])
def test_a_first_version_of_another_size_is_refused(flat: bytes) -> None:
    with pytest.raises(DamagedHistogram):
        VoxelHistogram.from_bytes(first_version(flat))


def test_a_cut_first_version_is_refused_even_with_a_sound_digest() -> None:
    body = zlib.compress(bytes(16 * LEVELS))
    for wrong in (body[:-1], body + b"\0", b"no zlib"):
        with pytest.raises(DamagedHistogram):
            VoxelHistogram.from_bytes(b"MAVH\x01" + _digest(b"MAVH\x01", wrong) + wrong)


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


@pytest.mark.parametrize("policy", ["zero", "worst"])
def test_an_absent_case_follows_from_its_numbers_of_voxels(policy: Literal["zero", "worst"]) -> None:
    mask = np.arange(60).reshape(3, 4, 5) % 7 == 0
    scored = voxel_histogram(np.random.default_rng(4).random(mask.shape), mask)
    assert (scored.positive_voxels, scored.negative_voxels) == (9, 51)
    absent = VoxelHistogram.absent(scored.positive_voxels, scored.negative_voxels, policy)
    assert absent == absent_histogram(mask, policy)


def test_levels_and_thresholds_belong_to_each_other() -> None:
    values = [threshold_of(level) for level in range(LEVELS)]
    assert [level_of(value) for value in values] == list(range(LEVELS))
    assert levels_of(np.array(values)).tolist() == list(range(LEVELS))
    assert (values[0], values[1], values[TOP]) == (0.0, 2.0**-24, 1.0)


@pytest.mark.parametrize(
    ("threshold", "level"), [(-1.0, 0), (-np.inf, 0), (1e-12, 1), (0.50001, 0x3801), (0.99999, TOP)]
)
def test_a_threshold_between_levels_means_the_next_one_up(threshold: float, level: int) -> None:
    assert level_of(threshold) == level


@pytest.mark.parametrize("threshold", [1.0001, np.inf, np.nan])
def test_a_threshold_that_no_score_reaches_has_no_level(threshold: float) -> None:
    with pytest.raises(ValueError, match="no score is at least"):
        level_of(threshold)


@pytest.mark.parametrize("level", [-1, LEVELS])
def test_other_integers_are_no_levels(level: int) -> None:
    with pytest.raises(ValueError, match="levels are from 0"):
        threshold_of(level)


def test_counts_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="int64"):
        VoxelHistogram(np.zeros(3, dtype=np.int64), np.zeros(3, dtype=np.int64))
