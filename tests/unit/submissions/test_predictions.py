import gzip
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray

from submissions.contract import Outcome
from submissions.predictions import read_case_score, read_voxel_scores

SHAPE = (5, 6, 7)
NAME = "ab12.nii.gz"


def volume(shape: tuple[int, ...] = SHAPE, dtype: str = "float32") -> NDArray[Any]:
    return (np.random.default_rng(1).random(shape) * 100).astype(dtype)


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
    def test_floats_come_back_as_they_were_written(
        self, tmp_path: Path, name: str, kind: Any, dtype: str
    ) -> None:
        data = volume(dtype=dtype)
        written(tmp_path, data, name, kind)
        reading = read_voxel_scores(tmp_path, name, SHAPE)
        assert (reading.outcome, reading.detail) == (Outcome.SCORED, "")
        assert isinstance(reading.value, np.ndarray)
        assert reading.value.dtype == dtype
        np.testing.assert_array_equal(reading.value, data)

    @pytest.mark.parametrize(
        "dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]
    )
    @pytest.mark.parametrize("scaling", [(1.0, 0.0), (0.25, -3.0), (np.nan, np.nan), (0.0, 5.0)])
    def test_integers_are_scaled_as_nibabel_does(
        self, tmp_path: Path, dtype: str, scaling: tuple[float, float]
    ) -> None:
        written(tmp_path, volume(dtype=dtype), "a.nii")
        raw = bytearray((tmp_path / "a.nii").read_bytes())
        raw[112:120] = np.array(scaling, "<f4").tobytes()
        (tmp_path / "a.nii").write_bytes(raw)
        reading = read_voxel_scores(tmp_path, "a.nii", SHAPE)
        np.testing.assert_array_equal(reading.value, nib.load(tmp_path / "a.nii").get_fdata())

    def test_big_endian_files_are_read(self, tmp_path: Path) -> None:
        data = volume()
        header = nib.Nifti1Header(endianness=">")
        nib.save(nib.Nifti1Image(data, np.eye(4), header), tmp_path / NAME)
        np.testing.assert_array_equal(read_voxel_scores(tmp_path, NAME, SHAPE).value, data)

    def test_a_fourth_axis_of_one_is_dropped(self, tmp_path: Path) -> None:
        written(tmp_path, volume((*SHAPE, 1)))
        reading = read_voxel_scores(tmp_path, NAME, SHAPE)
        assert isinstance(reading.value, np.ndarray)
        assert reading.value.shape == SHAPE

    def test_extensions_before_the_voxels_are_skipped(self, tmp_path: Path) -> None:
        image = nib.Nifti1Image(volume(), np.eye(4))
        image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"made by me" * 100))
        nib.save(image, tmp_path / NAME)
        np.testing.assert_array_equal(read_voxel_scores(tmp_path, NAME, SHAPE).value, volume())

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
        reading = read_voxel_scores(tmp_path, NAME, SHAPE)
        assert (reading.outcome, reading.value, reading.detail) == (Outcome.WRONG_SHAPE, None, detail)

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_voxels_that_are_not_finite_are_counted(self, tmp_path: Path, value: float, dtype: str) -> None:
        data = volume(dtype=dtype)
        data[1, 2, 3:5] = value
        written(tmp_path, data)
        reading = read_voxel_scores(tmp_path, NAME, SHAPE)
        assert (reading.outcome, reading.detail) == (
            Outcome.NOT_FINITE,
            "2 of 210 voxels are NaN or infinite",
        )

    def test_scaling_that_overflows_is_not_finite(self, tmp_path: Path) -> None:
        written(tmp_path, volume(dtype="float64") * 1e300)
        raw = bytearray(gzip.decompress((tmp_path / NAME).read_bytes()))
        raw[112:116] = np.array(1e30, "<f4").tobytes()
        (tmp_path / NAME).write_bytes(gzip.compress(raw))
        assert read_voxel_scores(tmp_path, NAME, SHAPE).outcome is Outcome.NOT_FINITE

    @pytest.mark.parametrize("dtype", ["complex64", "complex128"])
    def test_other_data_types_are_unreadable_and_named(self, tmp_path: Path, dtype: str) -> None:
        written(tmp_path, volume(dtype=dtype))
        reading = read_voxel_scores(tmp_path, NAME, SHAPE)
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
        reading = read_voxel_scores(tmp_path, NAME, SHAPE)
        assert (reading.outcome, reading.value) == (Outcome.UNREADABLE, None)
        assert words in reading.detail

    def test_zeros_behind_a_compressed_file_are_padding(self, tmp_path: Path) -> None:
        written(tmp_path, volume())
        with (tmp_path / NAME).open("ab") as file:
            file.write(bytes(512))
        assert read_voxel_scores(tmp_path, NAME, SHAPE).outcome is Outcome.SCORED

    def test_compressed_data_without_the_ending_is_unreadable(self, tmp_path: Path) -> None:
        written(tmp_path, volume())
        (tmp_path / NAME).rename(tmp_path / "a.nii")
        assert "does not end in .gz" in read_voxel_scores(tmp_path, "a.nii", SHAPE).detail

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
        reading = read_voxel_scores(tmp_path, "a.nii", SHAPE)
        assert reading.outcome is Outcome.UNREADABLE
        assert words in reading.detail

    def test_an_offset_of_zero_means_right_behind_the_header(self, tmp_path: Path) -> None:
        written(tmp_path, volume(), "a.nii")
        raw = bytearray((tmp_path / "a.nii").read_bytes())
        raw[108:112] = bytes(4)
        (tmp_path / "a.nii").write_bytes(raw)
        np.testing.assert_array_equal(read_voxel_scores(tmp_path, "a.nii", SHAPE).value, volume())

    def test_a_volume_that_is_not_there_is_missing(self, tmp_path: Path) -> None:
        reading = read_voxel_scores(tmp_path, NAME, SHAPE)
        assert (reading.outcome, reading.detail) == (Outcome.MISSING, "not written")
