import gzip
from pathlib import Path

import nibabel
import numpy as np
import pytest

from datasets import volume

SPACING = (0.7, 0.7875, 0.7)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    data = np.random.default_rng(0).random((5, 6, 7), dtype=np.float32)
    volume.write(tmp_path / "a" / "case.nii.gz", data, SPACING, np.float32)
    read = volume.read(tmp_path / "a" / "case.nii.gz")
    assert np.array_equal(read.data, data)
    assert read.data.dtype == np.float32
    assert np.allclose(np.diag(read.affine), (*SPACING, 1))
    assert np.allclose(read.affine @ [2, 2.5, 3, 1], [0, 0, 0, 1], atol=1e-5)


def test_a_finished_scan_is_stored_in_half_the_bytes_and_read_back_bit_by_bit(tmp_path: Path) -> None:
    levels = np.random.default_rng(0).integers(0, volume.LEVELS + 1, (5, 6, 37))
    data = (levels / volume.LEVELS).astype(np.float32)
    volume.write_scan(tmp_path / "case.nii.gz", data, SPACING)
    volume.write_scan(tmp_path / "again.nii.gz", data, SPACING)
    stored = nibabel.load(tmp_path / "case.nii.gz")
    assert stored.get_data_dtype() == np.uint16
    assert np.array_equal(np.asarray(stored.dataobj, dtype=np.float32), data)
    assert np.array_equal(volume.read(tmp_path / "case.nii.gz").data, data)
    content = (tmp_path / "case.nii.gz").read_bytes()
    assert content == (tmp_path / "again.nii.gz").read_bytes()
    assert content[4:8] == b"\0\0\0\0"  # the time in the gzip header


@pytest.mark.parametrize("value", [0.3, -1.0, 1.5])
def test_a_scan_that_was_not_finalised_is_not_stored(tmp_path: Path, value: float) -> None:
    with pytest.raises(ValueError, match="finalise it first"):
        volume.write_scan(tmp_path / "case.nii.gz", np.full((3, 3, 3), value, np.float32), SPACING)


def test_equal_volumes_give_equal_bytes_whenever_they_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = np.zeros((4, 4, 4), np.uint8)
    volume.write(tmp_path / "a.nii.gz", data, SPACING, np.uint8)
    monkeypatch.setattr("time.time", lambda: 2e9)
    volume.write(tmp_path / "b.nii.gz", data, SPACING, np.uint8)
    first, second = (tmp_path / "a.nii.gz"), (tmp_path / "b.nii.gz")
    assert first.read_bytes() == second.read_bytes()
    assert first.stat().st_mtime == second.stat().st_mtime == volume.WRITTEN_AT
    assert first.read_bytes()[4:8] == b"\0\0\0\0"  # the time in the gzip header


def test_the_header_says_nothing_but_shape_spacing_and_type(tmp_path: Path) -> None:
    volume.write(tmp_path / "a.nii.gz", np.zeros((4, 5, 6)), SPACING, np.float32)
    header = nibabel.Nifti1Header(gzip.decompress((tmp_path / "a.nii.gz").read_bytes())[:348])
    for field in ("descrip", "aux_file", "intent_name", "db_name"):
        assert header[field].tobytes().strip(b"\0") == b""
    assert header.get_data_shape() == (4, 5, 6)
    assert header.get_zooms() == pytest.approx(SPACING)
    assert header.get_xyzt_units() == ("mm", "unknown")


@pytest.mark.parametrize("content", [b"", b"not a volume", gzip.compress(b"x" * 400, mtime=0)])
def test_a_file_that_is_no_volume_is_named_in_the_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "odd.nii.gz").write_bytes(content)
    with pytest.raises(volume.VolumeError, match=r"odd\.nii\.gz"):
        volume.read(tmp_path / "odd.nii.gz")


def test_a_truncated_file_is_an_error(tmp_path: Path) -> None:
    volume.write(tmp_path / "a.nii.gz", np.random.default_rng(0).random((9, 9, 9)), SPACING, np.float32)
    content = (tmp_path / "a.nii.gz").read_bytes()
    (tmp_path / "a.nii.gz").write_bytes(content[: len(content) // 2])
    with pytest.raises(volume.VolumeError, match=r"a\.nii\.gz cannot be read"):
        volume.read(tmp_path / "a.nii.gz")


def test_a_file_of_four_dimensions_is_refused(tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti1Image(np.zeros((2, 2, 2, 2), np.float32), np.eye(4)), tmp_path / "4d.nii.gz")
    with pytest.raises(volume.VolumeError, match="4 dimensions"):
        volume.read(tmp_path / "4d.nii.gz")


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume.write_bytes(tmp_path / "file", b"old")

    def full(_: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="disk full"):
        volume.write_bytes(tmp_path / "file", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"old"
