import gzip
import tracemalloc
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from scoring.histograms import VoxelHistogram, voxel_histogram
from scoring.masks import Mask
from scoring.objects import ObjectRule, count_objects
from submissions.contract import Outcome
from submissions.predictions import Reading, count_voxel_scores, read_case_score, read_mask

SHAPE = (5, 6, 7)
NAME = "ab12.nii.gz"
TRUTH = np.random.default_rng(2).random(SHAPE) > 0.8


def volume(shape: tuple[int, ...] = SHAPE, dtype: str = "float32") -> NDArray[Any]:
    """Scores, some of them below 0 and above 1; small whole numbers of an integer type."""
    scores = np.random.default_rng(1).random(shape) * 1.2 - 0.1
    return (scores if np.dtype(dtype).kind in "fc" else scores * 100 + 10).astype(dtype)


def read(folder: Path, name: str = NAME, **asked: Any) -> Reading:
    return count_voxel_scores(folder, name, Mask.of(TRUTH), **asked)


def expected(scores: NDArray[Any]) -> VoxelHistogram:
    return voxel_histogram(scores, TRUTH)


def written(
    folder: Path, data: NDArray[Any], name: str = NAME, kind: Any = nib.Nifti1Image, **header: Any
) -> None:
    image = kind(data, np.diag([2.0, -3.0, 4.0, 1.0]), dtype=data.dtype)
    for key, value in header.items():
        image.header[key] = value
    nib.save(image, folder / name)


class TestCaseScores:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            (b"0.5", 0.5),
            (b"0.1234567890123456\n", 0.1234567890123456),
            (b" +1e-3 \r\nanything else\n", 0.001),
            (b"1\n", 1.0),
            (b".5", 0.5),
            (b"-7.", -7.0),
            (b"0" * 200 + b"1\n", 1.0),
        ],
    )
    def test_the_first_line_is_the_score(self, tmp_path: Path, text: bytes, value: float) -> None:
        (tmp_path / "a.txt").write_bytes(text)
        reading = read_case_score(tmp_path, "a.txt")
        assert (reading.outcome, reading.value, reading.detail) == (Outcome.SCORED, value, "")

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            (b"", "empty"),
            (b"\n0.5", "empty"),
            (b"0,5", "'0,5' has a decimal comma, write 0.5"),
            (b"tensor(0.5)", "'tensor(0.5)'"),
            (b"0.5 0.7", "one number"),
            (b"1_000", "one number"),
            (b"0x10", "one number"),
            (b"\xff\xfe0\x00.\x005\x00", "one number"),
            ("٠.٥".encode(), "one number"),
            (b"0" * 300, "one number"),
            (b"<script>\x1b[2J", r"\x1b"),
        ],
    )
    def test_another_first_line_is_unreadable_and_quoted(
        self, tmp_path: Path, text: bytes, words: str
    ) -> None:
        (tmp_path / "a.txt").write_bytes(text)
        reading = read_case_score(tmp_path, "a.txt")
        assert (reading.outcome, reading.value) == (Outcome.UNREADABLE, None)
        assert words in reading.detail
        assert reading.detail.isprintable()
        assert len(reading.detail) < 120

    @pytest.mark.parametrize("text", [b"nan", b"NaN\n", b"-inf", b"Infinity", b"1e999", b"-1e999999999"])
    def test_a_score_that_is_not_finite_is_said_to_be_so(self, tmp_path: Path, text: bytes) -> None:
        (tmp_path / "a.txt").write_bytes(text)
        assert read_case_score(tmp_path, "a.txt").outcome is Outcome.NOT_FINITE

    def test_a_score_that_is_not_there_is_missing(self, tmp_path: Path) -> None:
        assert read_case_score(tmp_path, "a.txt").outcome is Outcome.MISSING

    def test_a_folder_that_is_not_there_is_our_fault(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            read_case_score(tmp_path / "gone", "a.txt")

    def test_a_name_with_a_folder_is_a_mistake_of_the_caller(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="not the name of a file"):
            read_case_score(tmp_path, "../a.txt")


class TestVoxelScores:
    @pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
    @pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_floats_are_counted_as_they_were_written(
        self, tmp_path: Path, name: str, kind: Any, dtype: str
    ) -> None:
        data = volume(dtype=dtype)
        written(tmp_path, data, name, kind)
        reading = read(tmp_path, name)
        assert (reading.outcome, reading.detail) == (Outcome.SCORED, "")
        assert reading.voxels.histogram == expected(data)

    @pytest.mark.parametrize(
        "dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]
    )
    @pytest.mark.parametrize("scaling", [(1.0, 0.0), (0.01, -0.25), (np.nan, np.nan), (0.0, 5.0)])
    def test_integers_are_scaled_as_nibabel_does(
        self, tmp_path: Path, dtype: str, scaling: tuple[float, float]
    ) -> None:
        written(tmp_path, volume(dtype=dtype), "a.nii")
        raw = bytearray((tmp_path / "a.nii").read_bytes())
        raw[112:120] = np.array(scaling, "<f4").tobytes()
        (tmp_path / "a.nii").write_bytes(raw)
        assert read(tmp_path, "a.nii").voxels.histogram == expected(nib.load(tmp_path / "a.nii").get_fdata())

    def test_big_endian_files_are_read(self, tmp_path: Path) -> None:
        data = volume()
        header = nib.Nifti1Header(endianness=">")
        nib.save(nib.Nifti1Image(data, np.eye(4), header), tmp_path / NAME)
        assert read(tmp_path).voxels.histogram == expected(data)

    def test_a_fourth_axis_of_one_is_dropped(self, tmp_path: Path) -> None:
        written(tmp_path, volume((*SHAPE, 1)))
        assert read(tmp_path).voxels.histogram == expected(volume((*SHAPE, 1))[..., 0])

    def test_extensions_before_the_voxels_are_skipped(self, tmp_path: Path) -> None:
        image = nib.Nifti1Image(volume(), np.eye(4))
        image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"made by me" * 100))
        nib.save(image, tmp_path / NAME)
        assert read(tmp_path).voxels.histogram == expected(volume())

    @pytest.mark.parametrize(
        ("shape", "detail"),
        [
            ((5, 6, 6), "6 slices written, 7 expected"),
            ((5, 4, 7), "4 voxels along axis 2 written, 6 expected"),
            ((7, 6, 5), "shape 7 × 6 × 5 written, 5 × 6 × 7 expected"),
            ((5, 6), "shape 5 × 6 written, 5 × 6 × 7 expected"),
            ((5, 6, 7, 2), "shape 5 × 6 × 7 × 2 written, 5 × 6 × 7 expected"),
        ],
    )
    def test_another_shape_is_said_in_numbers(
        self, tmp_path: Path, shape: tuple[int, ...], detail: str
    ) -> None:
        written(tmp_path, volume(shape))
        reading = read(tmp_path)
        assert (reading.outcome, reading.value, reading.detail) == (Outcome.WRONG_SHAPE, None, detail)

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_voxels_that_are_not_finite_are_counted(self, tmp_path: Path, value: float, dtype: str) -> None:
        data = volume(dtype=dtype)
        data[1, 2, 3:5] = value
        written(tmp_path, data)
        reading = read(tmp_path)
        assert (reading.outcome, reading.detail) == (
            Outcome.NOT_FINITE,
            "2 of 210 voxels are NaN or infinite",
        )

    def test_scaling_that_overflows_is_not_finite(self, tmp_path: Path) -> None:
        written(tmp_path, volume(dtype="float64") * 1e300)
        raw = bytearray(gzip.decompress((tmp_path / NAME).read_bytes()))
        raw[112:116] = np.array(1e30, "<f4").tobytes()
        (tmp_path / NAME).write_bytes(gzip.compress(raw))
        assert read(tmp_path).outcome is Outcome.NOT_FINITE

    @pytest.mark.parametrize("dtype", ["complex64", "complex128"])
    def test_other_data_types_are_unreadable_and_named(self, tmp_path: Path, dtype: str) -> None:
        written(tmp_path, volume(dtype=dtype))
        reading = read(tmp_path)
        assert reading.outcome is Outcome.UNREADABLE
        assert f"its data type is {dtype}" in reading.detail

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (gzip.decompress, "not compressed although"),
            (lambda data: data[:-1], "cut short"),
            (lambda data: data[:-8], "cut short"),
            (lambda data: data[: len(data) // 2], "cut short"),
            (lambda data: data[:-8] + b"\0\0\0\0" + data[-4:], "damaged"),
            (lambda data: data[:-4] + b"\0\0\0\0", "damaged"),
            (lambda data: data[:200] + b"????" + data[204:], "damaged"),
            (lambda data: data + b"x", "something else follows"),
            (lambda data: gzip.compress(gzip.decompress(data) + b"x"), "longer than its header says"),
            (lambda data: data + gzip.compress(b"x"), "longer than its header says"),
            (lambda data: gzip.compress(gzip.decompress(data)[:-1]), "cut short in its voxels"),
            (lambda data: gzip.compress(gzip.decompress(data)[:100]), "cut short in its header"),
            (lambda _: gzip.compress(b"hello"), "not a NIfTI file"),
            (lambda _: gzip.compress(b""), "not a NIfTI file"),
            (lambda _: b"", "not compressed although"),
        ],
    )
    def test_a_damaged_file_is_unreadable_for_a_reason(self, tmp_path: Path, change: Any, words: str) -> None:
        written(tmp_path, volume())
        (tmp_path / NAME).write_bytes(change((tmp_path / NAME).read_bytes()))
        reading = read(tmp_path)
        assert (reading.outcome, reading.value) == (Outcome.UNREADABLE, None)
        assert words in reading.detail

    def test_zeros_behind_a_compressed_file_are_padding(self, tmp_path: Path) -> None:
        written(tmp_path, volume())
        with (tmp_path / NAME).open("ab") as file:
            file.write(bytes(512))
        assert read(tmp_path).outcome is Outcome.SCORED

    def test_compressed_data_without_the_ending_is_unreadable(self, tmp_path: Path) -> None:
        written(tmp_path, volume())
        (tmp_path / NAME).rename(tmp_path / "a.nii")
        assert "does not end in .gz" in read(tmp_path, "a.nii").detail

    @pytest.mark.parametrize(
        ("place", "value", "words"),
        [
            (108, np.float32(np.nan), "start where they cannot"),
            (108, np.float32(100), "start where they cannot"),
            (108, np.float32(-352), "start where they cannot"),
            (108, np.float32(1e30), "start where they cannot"),
            (70, np.int16(9999), "data type is unknown"),
            (70, np.int16(1536), "data type is unknown"),
            (40, np.int16(0), "no possible number of axes"),
            (40, np.int16(99), "no possible number of axes"),
            (344, np.int32(0), "not a NIfTI file of one part"),
            (112, np.array([1, np.inf], "<f4"), "scl_slope"),
        ],
    )
    def test_an_impossible_header_is_unreadable(
        self, tmp_path: Path, place: int, value: Any, words: str
    ) -> None:
        written(tmp_path, volume(), "a.nii")
        raw = bytearray((tmp_path / "a.nii").read_bytes())
        raw[place : place + value.nbytes] = value.tobytes()
        (tmp_path / "a.nii").write_bytes(raw)
        reading = read(tmp_path, "a.nii")
        assert reading.outcome is Outcome.UNREADABLE
        assert words in reading.detail

    def test_an_offset_of_zero_means_right_behind_the_header(self, tmp_path: Path) -> None:
        written(tmp_path, volume(), "a.nii")
        raw = bytearray((tmp_path / "a.nii").read_bytes())
        raw[108:112] = bytes(4)
        (tmp_path / "a.nii").write_bytes(raw)
        assert read(tmp_path, "a.nii").voxels.histogram == expected(volume())

    def test_a_volume_that_is_not_there_is_missing(self, tmp_path: Path) -> None:
        reading = read(tmp_path)
        assert (reading.outcome, reading.detail) == (Outcome.MISSING, "not written")

    def test_what_is_asked_for_is_found_in_the_same_pass(self, tmp_path: Path) -> None:
        data, rule = volume(), ObjectRule(0.0, (1.0, 1.0, 1.0))
        written(tmp_path, data)
        assert read(tmp_path).voxels.view is None
        assert read(tmp_path).voxels.objects == {}
        count = read(tmp_path, thresholds=(0.25, 0.75), objects=rule, view=True).voxels
        half = np.clip(data, 0, 1).astype(np.float16)
        assert count.objects == {level: count_objects(half >= level, TRUTH, rule) for level in (0.25, 0.75)}
        assert count.view is not None
        np.testing.assert_allclose(count.view, np.clip(data, 0, 1) * 255, atol=0.6)

    @pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
    def test_scores_that_float16_cannot_tell_apart_are_told(self, tmp_path: Path, name: str) -> None:
        scores = (1 - 1e-4 * np.random.default_rng(3).random(SHAPE) + 5e-5 * TRUTH).clip(0, 1)
        written(tmp_path, scores, name)
        told = read(tmp_path, name, exact=True).rounding
        assert told is not None
        exact = average_precision_score(TRUTH.ravel(), scores.ravel())
        assert told.exact_average_precision == pytest.approx(exact, abs=1e-12)
        assert told.average_precision == expected(scores).average_precision()
        assert told.exact_average_precision - told.average_precision > 0.1
        assert told.collapse is not None
        assert "[0, 1]" in told.collapse

    def test_scores_that_survive_rounding_get_no_warning(self, tmp_path: Path) -> None:
        written(tmp_path, volume().clip(0, 1))
        told = read(tmp_path, exact=True).rounding
        assert told is not None
        assert told.collapse is None
        assert abs(told.exact_average_precision - told.average_precision) < 0.01
        assert read(tmp_path).rounding is None

    def test_scores_that_lose_their_order_by_clipping_are_told_as_well(self, tmp_path: Path) -> None:
        written(tmp_path, (volume() + 2 * TRUTH + 1).astype(np.float32))
        told = read(tmp_path, exact=True).rounding
        assert told is not None
        assert (told.exact_average_precision, told.average_precision < 0.5) == (1.0, True)
        assert told.collapse is not None

    def test_a_normal_case_has_no_average_precision_to_compare(self, tmp_path: Path) -> None:
        written(tmp_path, volume())
        reading = count_voxel_scores(tmp_path, NAME, Mask.of(np.zeros(SHAPE, np.bool_)), exact=True)
        assert (reading.outcome, reading.rounding) == (Outcome.SCORED, None)

    def test_a_large_volume_is_never_in_memory_as_a_whole(self, tmp_path: Path) -> None:
        shape, side = (128, 128, 128), 128
        rng = np.random.default_rng(4)
        data = np.repeat(rng.random((side, side, 8)), 16, axis=2)
        written(tmp_path, data)
        truth = np.zeros(shape, np.bool_)
        truth[40:60, 50:70, 30:44] = True
        mask = Mask.of(truth)
        read(tmp_path)  # what is compiled and imported once is not this volume's
        tracemalloc.start()
        try:
            reading = count_voxel_scores(tmp_path, NAME, mask, exact=True)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert reading.voxels.histogram == voxel_histogram(data, truth)
        assert peak < data.nbytes / 4


class TestMasks:
    @pytest.mark.parametrize("dtype", ["uint8", "float32"])
    def test_what_is_above_a_half_is_abnormal(self, tmp_path: Path, dtype: str) -> None:
        written(tmp_path, TRUTH.astype(dtype))
        assert read_mask(tmp_path, NAME, SHAPE) == Mask.of(TRUTH)

    def test_what_is_no_mask_says_why(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="not written"):
            read_mask(tmp_path, NAME, SHAPE)
        written(tmp_path, TRUTH[..., :-1].astype(np.uint8))
        with pytest.raises(ValueError, match="6 slices written, 7 expected"):
            read_mask(tmp_path, NAME, SHAPE)
        written(tmp_path, np.full(SHAPE, np.nan, np.float32))
        with pytest.raises(ValueError, match="NaN"):
            read_mask(tmp_path, NAME, SHAPE)
