"""One pass over a stream gives what nibabel, NumPy and scikit-learn give with the whole volume in memory."""

import gzip
import io
import tracemalloc
from dataclasses import dataclass
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays, from_dtype
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from scoring import nifti as nifti_module
from scoring.average_precision import NotFinite, UndefinedMetric
from scoring.histograms import LEVELS, TOP, voxel_histogram
from scoring.inflating import inflated
from scoring.masks import Mask
from scoring.nifti import CHUNK_BYTES, Unreadable, WrongShape
from scoring.objects import ObjectRule, count_objects
from scoring.one_pass import count_voxels
from tests.unit.scoring.volumes import SCALING, Trickle, Zeros, as_nibabel_reads, nifti

KINDS = ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"]
SCALINGS = [None, (1.0, 0.0), (0.0, 5.0), (0.25, -3.0), (1 / 255, 0.0), (-0.5, 1.0), (1e-3, 0.1), (3e-5, 0.5)]
SHAPE = (3, 5, 7)
SOME = np.random.default_rng(7)


@dataclass(frozen=True)
class Case:
    """A file's uncompressed bytes and the abnormal voxels of what it should show."""

    data: bytes
    mask: NDArray[np.bool_]

    def scores(self) -> NDArray[np.float64]:
        """As the challenge reads them: clipped float16, as float64 for scikit-learn."""
        half: NDArray[np.float16] = np.clip(as_nibabel_reads(self.data), 0, 1).astype(np.float16)
        return half.astype(np.float64)


@st.composite
def cases(draw: st.DrawFn, kind: str) -> Case:
    """Every way in which NIfTI stores scores, with ties, and from no abnormal voxel to nothing else."""
    order = draw(st.sampled_from("<>"))
    finite: dict[str, Any] = {"allow_nan": False, "allow_infinity": False} if kind[0] == "f" else {}
    any_value = from_dtype(np.dtype(kind), **finite)
    some = draw(
        st.sampled_from([[0, 1], [1]])
        | st.lists(any_value, min_size=1, max_size=5)
        | st.lists(st.floats(-0.25, 1.25, width=32), min_size=1, max_size=9)
    )
    data = draw(arrays(np.dtype(kind), SHAPE, elements=st.sampled_from(some).map(np.dtype(kind).type)))
    if draw(st.booleans()):
        data = data.reshape(*SHAPE, 1)
    return Case(
        nifti(
            data.astype(order + kind),
            scaling=draw(st.sampled_from(SCALINGS)),
            second=draw(st.booleans()),
        ),
        draw(masks()),
    )


@st.composite
def masks(draw: st.DrawFn) -> NDArray[np.bool_]:
    """Including a lone abnormal voxel, all of them, and none."""
    mask = np.zeros(SHAPE, dtype=bool)
    how = draw(st.sampled_from(["none", "one", "all", "any"]))
    if how == "one":
        mask.flat[draw(st.integers(0, mask.size - 1))] = True
    if how == "all":
        mask[:] = True
    return draw(arrays(np.bool_, SHAPE)) if how == "any" else mask


def brute_force(labels: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    """The definition, threshold by threshold."""
    total, recall_before = 0.0, 0.0
    for threshold in sorted(set(scores.tolist()), reverse=True):
        called = labels[scores >= threshold]
        recall = called.sum() / labels.sum()
        total += (recall - recall_before) * called.mean()
        recall_before = recall
    return total


def float_volume(shape: tuple[int, ...] = SHAPE, kind: str = "<f4") -> NDArray[Any]:
    return SOME.random(shape).astype(kind)


def no_mask(shape: tuple[int, int, int] = SHAPE) -> Mask:
    return Mask.of(np.zeros(shape, dtype=bool))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_it_equals_scikit_learn_whatever_the_type_the_order_and_the_scaling(
    kind: str, data: st.DataObject
) -> None:
    case = data.draw(cases(kind))
    mask, scores = Mask.of(case.mask), case.scores()
    histogram = count_voxels(io.BytesIO(case.data), mask).histogram
    assert histogram == voxel_histogram(scores, case.mask.reshape(scores.shape))
    packed = inflated(io.BytesIO(gzip.compress(case.data, data.draw(st.integers(0, 9)))))
    assert count_voxels(packed, mask).histogram == histogram
    if not case.mask.any():
        with pytest.raises(UndefinedMetric):
            histogram.average_precision()
        return
    labels, flat = case.mask.ravel(), scores.ravel()
    assert abs(histogram.average_precision() - average_precision_score(labels, flat)) <= 1e-12
    assert abs(histogram.average_precision() - brute_force(labels, flat)) <= 1e-12


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("most", [1 << 30, 1000, 7])
def test_chunks_and_short_reads_change_nothing(kind: str, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nifti_module, "CHUNK_BYTES", 512)
    shape = (9, 10, 11)
    scores = np.where(SOME.random(shape) < 0.7, 0, SOME.random(shape) * 1.2 - 0.1)
    raw = (scores if kind[0] == "f" else np.clip(scores, 0, None) * 100).astype(kind)
    mask = SOME.random(shape) < 0.3
    case = Case(nifti(raw, scaling=None if kind[0] == "f" else (0.01, 0.0)), mask)
    histogram = count_voxels(Trickle(case.data, most), Mask.of(mask)).histogram
    assert histogram == voxel_histogram(as_nibabel_reads(case.data), mask)


@pytest.mark.parametrize("kind", ["<f4", ">f4", "<f8"])
@pytest.mark.parametrize("share", [0.0, 0.0001, 0.25, 1.0])
def test_volumes_of_many_chunks_equal_numpy(kind: str, share: float) -> None:
    """An odd number of voxels, zeros scattered and in stretches, abnormal runs across chunks."""
    shape = (61, 67, 71)
    scores = np.where(SOME.random(shape) < share, SOME.random(shape) * 1.1, 0)
    scores[:, :, 30:50] = 0
    mask = np.zeros(shape, dtype=bool)
    mask[10:50, 20:60, 10:40], mask[::7, 5, 60], mask[-1, -1, -1] = True, True, True
    count = count_voxels(io.BytesIO(nifti(scores.astype(kind))), Mask.of(mask))
    assert count.histogram == voxel_histogram(scores.astype(kind), mask)
    assert np.prod(shape) * np.dtype(kind).itemsize > 4 * CHUNK_BYTES


@pytest.mark.parametrize("kind", ["<f4", "<f8"])
@pytest.mark.parametrize(
    ("score", "level"),
    [(-0.0, 0), (-3.0, 0), (2.0**-26, 0), (1e-40, 0), (6e-8, 1), (0.99999, TOP), (1.5, TOP), (65520.0, TOP)],
)
def test_scores_beyond_the_range_and_below_it_have_a_level(kind: str, score: float, level: int) -> None:
    histogram = count_voxels(io.BytesIO(nifti(np.full(SHAPE, score, kind))), no_mask()).histogram
    assert np.flatnonzero(histogram.negatives).tolist() == [level]


def test_float64_is_rounded_once() -> None:
    """Just above the middle of two float16; by way of float32 it would be the middle, and go down to even."""
    data = np.full(SHAPE, 0.5 + 2.0**-12 + 2.0**-40)
    histogram = count_voxels(io.BytesIO(nifti(data)), no_mask()).histogram
    assert np.flatnonzero(histogram.negatives).tolist() == [int(np.float16(0.5).view(np.uint16)) + 1]


@pytest.mark.parametrize("kind", ["<f4", ">f4", "<f8", ">f8"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("scaling", [None, (2.0, 0.0)])
def test_voxels_that_are_not_finite_are_counted(kind: str, value: float, scaling: Any) -> None:
    data = -float_volume((40, 50, 60), kind)
    data[3, 4, :7], data[0, 0, 0] = value, -0.0
    with pytest.raises(NotFinite, match=r"^7 of 120,000 voxels are NaN or infinite$"):
        count_voxels(io.BytesIO(nifti(data, scaling=scaling)), no_mask((40, 50, 60)))


def test_integers_that_scaling_makes_infinite_are_counted() -> None:
    data = bytearray(nifti(np.full(SHAPE, 100, "<i2")))
    data[SCALING] = np.array([3e38, 0], "<f4").tobytes()
    finite = np.isfinite(as_nibabel_reads(bytes(data))).all()
    assert finite
    assert count_voxels(io.BytesIO(data), no_mask()).histogram.negatives[TOP] == np.prod(SHAPE)
    wide = bytearray(nifti(np.full(SHAPE, 1e300), scaling=(3e38, 0.0)))
    with pytest.raises(NotFinite, match="105 of 105"):
        count_voxels(io.BytesIO(wide), no_mask())


@pytest.mark.parametrize("cut", [0, 3, 100, 351, 352, 353, 600, 771])
@pytest.mark.parametrize("kind", ["<f4", ">f4"])
def test_a_stream_that_ends_early_gives_no_count(cut: int, kind: str) -> None:
    data = nifti(float_volume(kind=kind))
    assert len(data) == 352 + 4 * np.prod(SHAPE)
    with pytest.raises(Unreadable, match=r"not a NIfTI file|cut short in its (header|voxels)"):
        count_voxels(io.BytesIO(data[:cut]), no_mask())


@pytest.mark.parametrize("behind", [b"\0", b"x" * 1000])
def test_a_stream_that_goes_on_gives_no_count(behind: bytes) -> None:
    with pytest.raises(Unreadable, match="longer than its header says"):
        count_voxels(io.BytesIO(nifti(float_volume()) + behind), no_mask())


def test_nothing_behind_the_header_is_read_of_a_volume_of_another_shape() -> None:
    stream = Trickle(nifti(float_volume((3, 5, 8))), 1 << 30)
    with pytest.raises(WrongShape, match="8 slices written, 7 expected"):
        count_voxels(stream, no_mask())
    assert stream.given == 348


def test_an_error_of_the_stream_passes() -> None:
    packed = gzip.compress(nifti(float_volume((40, 40, 40))))
    with pytest.raises((EOFError, OSError)):
        count_voxels(inflated(io.BytesIO(packed[:-9])), no_mask((40, 40, 40)))


@pytest.mark.parametrize("kind", ["<f4", ">i4", "<u2"])
def test_memory_does_not_grow_with_the_volume(kind: str) -> None:
    peaks = []
    for size in (64, 256):
        shape = (size, size, size)
        small = nifti(np.zeros((1, 1, 1), kind))[:352]
        header = nib.Nifti1Header(small[:348], endianness=kind[0])
        header.set_data_shape(shape)
        stream = Zeros(header.binaryblock + bytes(4), size**3 * np.dtype(kind).itemsize)
        mask = Mask(shape, np.array([1000, 50, size**3 - 1050]))
        tracemalloc.start()
        count = count_voxels(stream, mask)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert (count.histogram.positives[0], count.distinct) == (50, 1)
    assert peaks[1] < 1.1 * peaks[0] < 8 << 20


def test_distinct_levels_are_counted() -> None:
    data = np.linspace(0.99, 1, int(np.prod(SHAPE)), dtype="<f4").reshape(SHAPE)
    count = count_voxels(io.BytesIO(nifti(data)), Mask.of(data > 0.995))
    assert count.distinct == np.unique(data.astype(np.float16)).size
    assert (count.view, count.objects) == (None, {})


@pytest.mark.parametrize("kind", ["<f4", ">f8", "<u1", "<i4"])
def test_a_view_has_256_shades_in_file_order(kind: str) -> None:
    shape = (50, 40, 70)
    scores = SOME.random(shape) * 1.4 - 0.2
    raw, scaling = (scores, None) if kind[1] == "f" else (np.clip(scores * 100, 0, 255), (0.01, 0.0))
    data = nifti(raw.astype(kind), scaling=scaling)
    view = count_voxels(io.BytesIO(data), no_mask(shape), view=True).view
    expected = np.round(
        np.clip(as_nibabel_reads(data).astype(kind[1:] if kind == "<f4" else "f8"), 0, 1) * 255
    )
    assert view is not None
    assert view.flags.f_contiguous
    assert view.dtype == np.uint8
    np.testing.assert_array_equal(view, expected)


@pytest.mark.parametrize("kind", ["<f4", ">f8", "<u1"])
def test_objects_are_counted_at_each_threshold_of_the_rounded_scores(kind: str) -> None:
    shape = (31, 37, 41)
    scores = np.zeros(shape)
    scores[2:8, 3:9, 4:10], scores[20:25, 20:25, 20:25], scores[0, 0, 0] = 0.9, 0.3, 0.9
    raw, scaling = (scores, None) if kind[1] == "f" else (scores * 100, (0.01, 0.0))
    truth = np.zeros(shape, dtype=bool)
    truth[2:8, 3:9, 4:9] = truth[20:25, 20:25, 19:25] = True
    rule = ObjectRule(5.0, (1.0, 1.0, 1.0))
    data = nifti(raw.round(12).astype(kind), scaling=scaling)
    rounded = np.clip(as_nibabel_reads(data), 0, 1).astype(np.float16)
    thresholds = [0.0, 0.1, float(np.float16(0.3)), 0.5, 1.0]
    count = count_voxels(io.BytesIO(data), Mask.of(truth), thresholds=thresholds, objects=rule)
    assert count.objects == {
        threshold: count_objects(rounded.astype(np.float64) >= threshold, truth, rule)
        for threshold in thresholds
    }
    assert (count.objects[0.1], count.objects[0.5]) == ((2, 0, 0), (1, 0, 1))
    assert count_voxels(io.BytesIO(data), Mask.of(truth), thresholds=thresholds).objects == {}


def test_all_positives_and_all_negatives_add_up() -> None:
    count = count_voxels(io.BytesIO(nifti(float_volume())), Mask.of(np.ones(SHAPE, dtype=bool)))
    assert count.histogram.positive_voxels == np.prod(SHAPE)
    assert count.histogram.negatives.tolist() == [0] * LEVELS
    assert count.histogram.average_precision() == pytest.approx(1, abs=1e-12)
