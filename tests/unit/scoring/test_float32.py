"""Average precision without rounding: scikit-learn's, from arrays and from two passes over a stream."""

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from scoring.average_precision import NotFinite, UndefinedMetric
from scoring.float32 import ExactCounter, collapse, exact_average_precision
from scoring.masks import Mask
from scoring.nifti import Unreadable
from tests.unit.scoring.volumes import as_nibabel_reads, nifti

SHAPE = (3, 5, 7)
TINY = 1e-12
Volume = tuple[NDArray[Any], NDArray[np.bool_]]


@st.composite
def volumes(draw: st.DrawFn, kinds: tuple[str, ...] = ("f4", "f8")) -> Volume:
    """Scores of any size and sign with ties, and a mask with at least one abnormal voxel."""
    kind = draw(st.sampled_from(kinds))
    any_float = st.floats(allow_nan=False, allow_infinity=False, width=32 if kind == "f4" else 64)
    elements = draw(
        st.sampled_from(
            [
                st.just(0.25),
                st.sampled_from([0.0, -0.0, 1.0, -1.0]),
                st.floats(0, 1, width=32),
                st.floats(0.5, 0.5 + 2.0**-20, width=32),
                any_float,
            ]
        )
    )
    mask = draw(
        arrays(np.bool_, SHAPE) | st.just(np.zeros(SHAPE, dtype=bool)) | st.just(np.ones(SHAPE, bool))
    )
    mask = mask.copy()
    mask.flat[draw(st.integers(0, mask.size - 1))] = True
    return draw(arrays(np.dtype(kind), SHAPE, elements=elements)), mask


def streamed(data: bytes, mask: NDArray[np.bool_]) -> float:
    """The value of two passes."""
    counter = ExactCounter(Mask.of(mask))
    counter.first(io.BytesIO(data))
    counter.second(io.BytesIO(data))
    return counter.average_precision()


@settings(deadline=None, max_examples=300)
@given(volumes())
def test_it_equals_scikit_learn(volume: Volume) -> None:
    scores, mask = volume
    expected = average_precision_score(mask.ravel(), scores.ravel())
    assert abs(exact_average_precision(scores, mask) - expected) <= TINY
    assert abs(streamed(nifti(scores), mask) - expected) <= TINY


@pytest.mark.parametrize("kind", ["i1", ">i2", "<u2", "<i4", ">u8", ">f4", "<f4", ">f8"])
@pytest.mark.parametrize("scaling", [None, (0.01, -0.3)])
def test_a_stream_is_scaled_as_nibabel_does(kind: str, scaling: Any) -> None:
    generator = np.random.default_rng(3)
    shape = (50, 60, 70)
    mask = generator.random(shape) < 0.02
    data = nifti((generator.random(shape) * 100 + 20 * mask).astype(kind), scaling=scaling)
    expected = average_precision_score(mask.ravel(), as_nibabel_reads(data).ravel())
    assert abs(streamed(data, mask) - expected) <= TINY


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize(
    "spread",
    [
        lambda r: r,
        lambda r: np.where(r < 0.75, 0, r),
        lambda r: 10 ** (-30 * r),
        lambda r: 1 - 1e-3 * r,
        lambda r: np.round(r, 2),
        lambda r: r * 1e30 - 5e29,
    ],
)
def test_large_volumes_of_any_spread_equal_scikit_learn(kind: Any, spread: Any) -> None:
    generator = np.random.default_rng(4)
    mask = generator.random((60, 50, 40)) < 0.05
    scores = spread(generator.random(mask.shape)).astype(kind)
    expected = average_precision_score(mask.ravel(), scores.ravel())
    for order in "CF":
        value = exact_average_precision(np.asarray(scores, order=order), np.asarray(mask, order=order))
        assert abs(value - expected) <= TINY


def test_a_lone_abnormal_voxel_and_nothing_but_abnormal_ones() -> None:
    scores = np.linspace(0, 1, int(np.prod(SHAPE))).reshape(SHAPE)
    assert exact_average_precision(scores, scores == scores.max()) == 1.0
    assert exact_average_precision(scores, scores == scores.min()) == pytest.approx(1 / scores.size, abs=TINY)
    assert exact_average_precision(scores, scores >= 0) == pytest.approx(1, abs=TINY)


def test_no_abnormal_voxel_is_undefined() -> None:
    scores, mask = np.zeros(SHAPE, "<f4"), np.zeros(SHAPE, dtype=bool)
    with pytest.raises(UndefinedMetric):
        exact_average_precision(scores, mask)
    with pytest.raises(UndefinedMetric):
        streamed(nifti(scores), mask)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_refused(value: float) -> None:
    scores, mask = np.zeros(SHAPE, "<f4"), np.ones(SHAPE, dtype=bool)
    scores[0, 0, :2] = value
    with pytest.raises(NotFinite, match="2 of 105 voxels"):
        exact_average_precision(scores, mask)
    with pytest.raises(NotFinite, match="2 of 105 voxels"):
        streamed(nifti(scores), mask)


@pytest.mark.parametrize("kind", [np.bool_, np.int16, np.uint8, np.float16, ">f4"])
def test_other_real_types_are_ranked_too(kind: Any) -> None:
    scores = np.random.default_rng(5).integers(0, 9, SHAPE).astype(kind)
    mask = np.random.default_rng(6).random(SHAPE) < 0.3
    expected = average_precision_score(mask.ravel(), scores.ravel().astype(float))
    assert abs(exact_average_precision(scores, mask) - expected) <= TINY


@pytest.mark.parametrize(
    ("scores", "mask"),
    [
        (np.zeros(2), np.zeros(3, dtype=bool)),
        (np.zeros(2), np.zeros(2)),
        (np.zeros(2, dtype=complex), np.zeros(2, dtype=bool)),
    ],
)
def test_arrays_that_do_not_fit_are_refused(scores: NDArray[Any], mask: NDArray[Any]) -> None:
    with pytest.raises(ValueError, match=r"mask|real numbers"):
        exact_average_precision(scores, mask)


def test_passes_come_in_order_and_once() -> None:
    data, mask = nifti(np.zeros(SHAPE, "<f4")), Mask.of(np.ones(SHAPE, dtype=bool))
    counter = ExactCounter(mask)
    with pytest.raises(ValueError, match="passes twice"):
        counter.second(io.BytesIO(data))
    counter.first(io.BytesIO(data))
    with pytest.raises(ValueError, match="passes twice"):
        counter.average_precision()
    counter.second(io.BytesIO(data))
    with pytest.raises(ValueError, match="passes twice"):
        counter.second(io.BytesIO(data))


def test_a_stream_that_ends_early_gives_no_value() -> None:
    with pytest.raises(Unreadable, match="cut short"):
        streamed(nifti(np.zeros(SHAPE, "<f4"))[:-1], np.ones(SHAPE, dtype=bool))


def test_scores_that_collapse_are_told_the_remedy() -> None:
    generator = np.random.default_rng(8)
    mask = generator.random((40, 40, 40)) < 0.02
    close = (1 - 1e-3 * (1 - generator.random(mask.shape) ** (1 / (1 + 9 * mask)))).astype(np.float32)
    half = close.astype(np.float16)
    exact = exact_average_precision(close, mask)
    sentence = collapse(exact, exact_average_precision(half, mask), np.unique(half).size)
    assert sentence is not None
    for words in (
        "float16",
        f"{np.unique(half).size} different values",
        f"{exact:.3f}",
        "spread them",
        "near 0",
    ):
        assert words in sentence
    assert sentence.isprintable()


@pytest.mark.parametrize(("exact", "rounded"), [(0.5, 0.5), (0.5, 0.495), (0.495, 0.5)])
def test_scores_that_keep_their_order_are_told_nothing(exact: float, rounded: float) -> None:
    assert collapse(exact, rounded, 1000) is None
