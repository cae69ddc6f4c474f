"""What cannot be read as one volume is refused with the reason; what can is read with its place."""

import gzip
import shutil
from pathlib import Path

import gdcm
import nibabel
import numpy as np
import pydicom
import pytest
from pydicom.uid import RLELossless, generate_uid

from datasets.importers import dicom as series
from datasets.importers.nifti import NiftiFile
from datasets.importers.raw import Unusable
from tests.unit.datasets import imported_scans as scans
from tests.unit.datasets.imported_scans import SIDES, UPRIGHT

COMPRESSED = {
    "JPEG lossless": gdcm.TransferSyntax.JPEGLosslessProcess14_1,
    "JPEG-LS": gdcm.TransferSyntax.JPEGLSLossless,
    "JPEG 2000": gdcm.TransferSyntax.JPEG2000Lossless,
}


def _read(path: Path) -> str:
    with pytest.raises(Unusable) as refused:
        NiftiFile(path, path.name).read()
    return str(refused.value)


def test_a_volume_is_read_with_its_affine_and_without_trailing_dimensions(tmp_path: Path) -> None:
    data = scans.body(0)
    read = NiftiFile(scans.nifti(tmp_path / "a.nii.gz", data[..., None, None]), "a").read()
    assert np.array_equal(read.data, data)
    assert (read.data.dtype, read.modality) == (np.float32, None)
    assert np.array_equal(read.affine, UPRIGHT)


def test_stored_integers_are_scaled_as_the_header_says_and_metres_become_millimetres(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(
        np.arange(1000, dtype=np.int16).reshape(10, 10, 10), np.diag([0.002] * 3 + [1])
    )
    image.header.set_slope_inter(2, -5)
    image.header.set_xyzt_units("meter")
    nibabel.save(image, tmp_path / "a.nii")
    read = NiftiFile(tmp_path / "a.nii", "a").read()
    assert (read.data.min(), read.data.max()) == (-5, 1993)
    assert np.diag(read.affine)[:3] == pytest.approx((2, 2, 2))


def test_bad_nifti_files_are_refused_with_the_reason(tmp_path: Path) -> None:
    data = scans.body(0)
    good = scans.nifti(tmp_path / "good.nii.gz", data).read_bytes()
    cut = gzip.decompress(good)
    cases: dict[str, bytes] = {
        "cannot be read as NIfTI.*copy or export": b"not a volume",
        "cannot be read as NIfTI": good[: len(good) // 2],
        "cannot be read as NIfTI:": gzip.compress(cut[:-100]),
    }
    for reason, content in cases.items():
        (tmp_path / "bad.nii.gz").write_bytes(content)
        with pytest.raises(Unusable, match=reason):
            NiftiFile(tmp_path / "bad.nii.gz", "bad").read()


def test_volumes_that_are_no_scan_are_refused_with_the_reason(tmp_path: Path) -> None:
    holed = scans.body(0)
    holed[3, 4, 5] = np.nan
    assert "has 4 dimensions" in _read(scans.nifti(tmp_path / "a.nii", np.zeros((9, 9, 9, 2), np.float32)))
    assert "at least 8 voxels" in _read(scans.nifti(tmp_path / "b.nii", np.ones((9, 9, 3), np.float32)))
    assert "all voxels are 4" in _read(scans.nifti(tmp_path / "c.nii", np.full(SIDES, 4, np.float32)))
    assert f"1 of {holed.size} voxels are NaN" in _read(scans.nifti(tmp_path / "d.nii", holed))


def test_without_orientation_left_could_be_right_so_it_is_refused_unless_taken_as_is(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(scans.body(0), None)
    image.header.set_zooms(scans.SPACING)
    nibabel.save(image, tmp_path / "a.nii.gz")
    assert "left could be right" in _read(tmp_path / "a.nii.gz")
    assert np.diag(NiftiFile(tmp_path / "a.nii.gz", "a", oriented=False).read().affine)[:3] == pytest.approx(
        scans.SPACING
    )


def test_a_flat_or_degenerate_affine_is_refused(tmp_path: Path) -> None:
    flat = np.diag([4.0, 0.0, 5.0, 1.0])
    image = nibabel.Nifti1Image(scans.body(0), UPRIGHT)
    image.header["qform_code"], image.header["sform_code"] = 0, 1
    image.header["srow_x"], image.header["srow_y"], image.header["srow_z"] = flat[:3]
    content = image.header.binaryblock + b"\0" * 4 + scans.body(0).tobytes(order="F")
    (tmp_path / "a.nii").write_bytes(content)
    assert "no size or place" in _read(tmp_path / "a.nii")


# DICOM


@pytest.fixture(scope="module")
def hounsfield() -> np.ndarray:
    return np.rint(scans.hounsfield(3, (18, 16, 12)))


def _series(folder: Path) -> series.DicomSeries:
    found, problems = series.find(sorted(path for path in folder.rglob("*") if path.is_file()), folder)
    assert problems == []
    assert len(found) == 1
    return found[0]


def _refused(folder: Path) -> str:
    with pytest.raises(Unusable) as refused:
        _series(folder).read()
    return str(refused.value)


def test_a_series_is_put_in_order_by_place_in_hounsfield_units_towards_right_and_anterior(
    tmp_path: Path, hounsfield: np.ndarray
) -> None:
    scans.dicom(tmp_path, hounsfield)
    read = _series(tmp_path).read()
    assert np.array_equal(read.data, hounsfield)
    assert read.modality == "CT"
    # Column index towards the patient's left, row index towards posterior; nibabel counts right and anterior.
    assert np.allclose(read.affine, [[-4, 0, 0, 7], [0, -3.5, 0, -11], [0, 0, 2.5, 30], [0, 0, 0, 1]])


def test_slices_stacked_downwards_or_on_a_tilt_keep_their_place(
    tmp_path: Path, hounsfield: np.ndarray
) -> None:
    scans.dicom(tmp_path / "down", hounsfield, step=(0, 0, -2.5))
    read = _series(tmp_path / "down").read()
    assert np.array_equal(read.data, hounsfield[..., ::-1])
    assert (read.affine @ [0, 0, 11, 1])[2] == pytest.approx(30)
    scans.dicom(tmp_path / "tilted", hounsfield, step=(0, 0.6, 2.5))
    assert np.allclose(_series(tmp_path / "tilted").read().affine[:3, 2], (0, -0.6, 2.5))


@pytest.mark.parametrize("syntax", COMPRESSED)
def test_compressed_slices_are_read_voxel_by_voxel(
    tmp_path: Path, hounsfield: np.ndarray, syntax: str
) -> None:
    for path in scans.dicom(tmp_path, hounsfield):
        reader, change, writer = gdcm.ImageReader(), gdcm.ImageChangeTransferSyntax(), gdcm.ImageWriter()
        reader.SetFileName(str(path))
        assert reader.Read()
        change.SetTransferSyntax(gdcm.TransferSyntax(COMPRESSED[syntax]))
        change.SetInput(reader.GetImage())
        assert change.Change()
        writer.SetFileName(str(path))
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        assert writer.Write()
    assert pydicom.dcmread(path).file_meta.TransferSyntaxUID.is_compressed
    assert np.array_equal(_series(tmp_path).read().data, hounsfield)


def test_run_length_encoding_is_read_and_an_unknown_syntax_is_refused_by_name(
    tmp_path: Path, hounsfield: np.ndarray
) -> None:
    for path in scans.dicom(tmp_path, hounsfield):
        one = pydicom.dcmread(path)
        one.compress(RLELossless)
        one.save_as(path)
    assert np.array_equal(_series(tmp_path).read().data, hounsfield)
    one.file_meta.TransferSyntaxUID = pydicom.uid.HTJ2KLossless
    one.save_as(path)
    told = _refused(tmp_path)
    assert path.name in told
    assert "High-Throughput JPEG 2000" in told


def test_a_missing_or_doubled_slice_is_named_with_its_neighbours(
    tmp_path: Path, hounsfield: np.ndarray
) -> None:
    paths = scans.dicom(tmp_path / "missing", hounsfield)
    paths[5].unlink()
    told = _refused(tmp_path / "missing")
    assert f"1 slices are missing between {paths[4].name} and {paths[6].name}" in told
    paths = scans.dicom(tmp_path / "doubled", hounsfield)
    shutil.copy(paths[3], paths[3].with_name("again"))
    assert "slices in one place" in _refused(tmp_path / "doubled")


def test_mixed_broken_and_colour_series_are_refused_with_the_reason(
    tmp_path: Path, hounsfield: np.ndarray
) -> None:
    uid = generate_uid()
    scans.dicom(tmp_path / "mixed/a", hounsfield, uid=uid)
    scans.dicom(tmp_path / "mixed/b", hounsfield, uid=uid, ImageOrientationPatient=[0, 1, 0, 0, 0, -1])
    assert "mixes several scans: the orientation" in _refused(tmp_path / "mixed")
    scans.dicom(tmp_path / "pet", hounsfield, Modality="PT")
    assert "modality is PT" in _refused(tmp_path / "pet")
    scans.dicom(tmp_path / "placeless", hounsfield, ImagePositionPatient=None)
    assert "lacks ImagePositionPatient" in _refused(tmp_path / "placeless")
    scans.dicom(tmp_path / "frames", hounsfield, NumberOfFrames="3")
    assert "multi-frame" in _refused(tmp_path / "frames")
    scans.dicom(tmp_path / "inverted", hounsfield, PhotometricInterpretation="MONOCHROME1")
    assert "MONOCHROME1, no grey scan" in _refused(tmp_path / "inverted")
    scans.dicom(tmp_path / "short", hounsfield[..., :4])
    assert "has 4 slices" in _refused(tmp_path / "short")
    paths = scans.dicom(tmp_path / "cut", hounsfield)
    paths[2].write_bytes(paths[2].read_bytes()[:-50])
    assert f"the pixels of {paths[2].name}" in _refused(tmp_path / "cut")


def test_files_that_claim_to_be_dicom_are_problems_and_strangers_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("scans of 2019")
    (tmp_path / "slice.dcm").write_text("not a slice")
    found, problems = series.find(sorted(tmp_path.iterdir()), tmp_path)
    assert found == []
    assert [problem.name for problem in problems] == ["slice.dcm"]
    assert "cannot be read as DICOM" in problems[0].reason


def test_headers_with_any_byte_wrong_are_refused_or_read_but_never_end_the_import(
    tmp_path: Path, hounsfield: np.ndarray
) -> None:
    rng = np.random.default_rng(0)
    nifti = scans.nifti(tmp_path / "a.nii", scans.body(0)).read_bytes()
    slices = scans.dicom(tmp_path / "series", hounsfield)
    whole = slices[4].read_bytes()
    read, reasons = 0, []
    for _ in range(150):
        for path, content, header in ((tmp_path / "a.nii", nifti, 348), (slices[4], whole, len(whole) - 400)):
            damaged = bytearray(content)
            for place in rng.integers(128 if path is slices[4] else 0, header, 4):
                damaged[place] = rng.integers(256)
            path.write_bytes(damaged)
        found, _problems = series.find(slices, tmp_path)
        for source in (NiftiFile(tmp_path / "a.nii", "a"), *found):
            try:
                read += source.read().data.ndim == 3
            except Unusable as refused:
                reasons.append(str(refused))
    assert read > 20
    assert len(reasons) > 20
    assert all(len(reason) > 20 for reason in reasons)
