"""What every method owes the platform, and what each is supposed to find."""

from collections.abc import Callable
from pathlib import Path
from typing import cast

import nibabel
import numpy as np
import pytest

from reference_methods.__main__ import Learned
from reference_methods.cevae.model import Model as CevaeModel
from reference_methods.common.cli import Method, main
from reference_methods.constant.predict import load as load_constant
from reference_methods.cradl.model import Model as CradlModel
from reference_methods.fpi.model import Model as FpiModel
from reference_methods.histogram.model import Model as HistogramModel
from reference_methods.images import LEARNING, METHODS
from reference_methods.intensity.predict import load as load_intensity
from reference_methods.pca.model import Model as PcaModel
from reference_methods.pii.model import Model as PiiModel
from reference_methods.random.predict import load as load_random
from reference_methods.voxel_statistics.model import Model as VoxelModel
from tests.unit.reference_methods import scans

LOADERS: dict[str, Callable[[Path], Method]] = {
    "cevae": CevaeModel.load,
    "constant": load_constant,
    "cradl": CradlModel.load,
    "fpi": FpiModel.load,
    "histogram": HistogramModel.load,
    "intensity": load_intensity,
    "pca": PcaModel.load,
    "pii": PiiModel.load,
    "random": load_random,
    "voxel_statistics": VoxelModel.load,
}
FINDING = ["histogram", "pca", "voxel_statistics"]

Predict = Callable[[str, str, Path], Path]


@pytest.fixture
def predict(weights: Path, tmp_path: Path) -> Predict:
    """Run a method in this process as its entry script would, and return the folder it wrote."""

    def run(name: str, task: str, source: Path) -> Path:
        target = tmp_path / f"pred-{name}-{task}-{source.name}"
        target.mkdir()
        main(LOADERS[name], [task, "brain", str(source), str(target), "--weights", str(weights / name)])
        return target

    return run


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    """Three normal scans, then three abnormal ones."""
    generator = np.random.default_rng(6)
    folder = tmp_path / "cases"
    for number, make in enumerate([scans.normal] * 3 + [scans.abnormal] * 3):
        scans.write(folder / f"{number:05}.nii.gz", make(generator))
    return folder


def scores_of(folder: Path) -> list[float]:
    return [float(path.read_text()) for path in sorted(folder.iterdir())]


def test_every_method_is_tested_here() -> None:
    assert tuple(sorted(LOADERS)) == METHODS


@pytest.mark.parametrize("name", METHODS)
def test_a_case_gets_one_number_between_zero_and_one(name: str, predict: Predict, cases: Path) -> None:
    target = predict(name, "sample", cases)
    assert sorted(path.name for path in target.iterdir()) == [f"{n:05}.nii.gz.txt" for n in range(6)]
    assert all(0 <= score <= 1 for score in scores_of(target))


@pytest.mark.parametrize("name", METHODS)
def test_a_map_has_the_shape_affine_and_type_that_are_due(name: str, predict: Predict, cases: Path) -> None:
    target = predict(name, "pixel", cases)
    assert sorted(path.name for path in target.iterdir()) == [f"{n:05}.nii.gz" for n in range(6)]
    for path in target.iterdir():
        image = nibabel.Nifti1Image.from_filename(path)
        data = np.asarray(image.dataobj)
        assert (image.shape, image.get_data_dtype()) == (scans.SHAPE, np.dtype("<f4"))
        assert np.array_equal(image.affine, scans.AFFINE)
        assert data.min() >= 0
        assert data.max() <= 1


@pytest.mark.parametrize("name", METHODS)
def test_a_case_scores_the_same_alone_and_under_another_name(
    name: str, predict: Predict, cases: Path, tmp_path: Path
) -> None:
    alone = tmp_path / "alone"
    alone.mkdir()
    (alone / "other.nii.gz").write_bytes((cases / "00004.nii.gz").read_bytes())
    assert scores_of(predict(name, "sample", alone)) == [scores_of(predict(name, "sample", cases))[4]]
    lonely = scans.read(predict(name, "pixel", alone) / "other.nii.gz")
    assert np.array_equal(lonely, scans.read(predict(name, "pixel", cases) / "00004.nii.gz"))


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("value", [0.0, 0.7], ids=["empty", "constant"])
def test_an_empty_and_a_constant_scan_get_scores_as_any_other(
    name: str, value: float, predict: Predict, tmp_path: Path
) -> None:
    scans.write(tmp_path / "even" / "0.nii.gz", np.full(scans.SHAPE, value, np.float32))
    assert 0 <= scores_of(predict(name, "sample", tmp_path / "even"))[0] <= 1
    voxels = scans.read(predict(name, "pixel", tmp_path / "even") / "0.nii.gz")
    assert (voxels >= 0).all()
    assert (voxels <= 1).all()


@pytest.mark.parametrize("name", FINDING)
def test_abnormal_scans_score_above_normal_ones(name: str, predict: Predict, cases: Path) -> None:
    scores = scores_of(predict(name, "sample", cases))
    assert max(scores[:3]) < min(scores[3:])


@pytest.mark.parametrize("name", [*FINDING, "intensity"])
def test_a_lesion_stands_out_on_the_map(name: str, predict: Predict, cases: Path) -> None:
    target = predict(name, "pixel", cases)
    scores = scans.read(target / "00005.nii.gz")
    lesion = np.zeros(scans.SHAPE, dtype=bool)
    lesion[scans.LESION] = True
    assert np.median(scores[lesion]) > np.percentile(scores[~lesion], 98)


def test_random_cases_differ_from_each_other(predict: Predict, cases: Path) -> None:
    assert len(set(scores_of(predict("random", "sample", cases)))) == 6


def test_constant_says_the_same_of_everything(predict: Predict, cases: Path) -> None:
    assert set(scores_of(predict("constant", "sample", cases))) == {0.5}


def test_intensity_scores_a_case_by_its_mean(predict: Predict, cases: Path) -> None:
    expected = [scans.read(path).mean() for path in sorted(cases.iterdir())]
    assert scores_of(predict("intensity", "sample", cases)) == pytest.approx(expected, rel=1e-5)


def test_a_scan_of_another_shape_is_refused_with_both_shapes(predict: Predict, tmp_path: Path) -> None:
    scans.write(tmp_path / "odd" / "0.nii.gz", np.zeros((4, 4, 4), dtype=np.float32))
    with pytest.raises(ValueError, match=r"\(4, 4, 4\).*\(20, 24, 22\)"):
        predict("voxel_statistics", "pixel", tmp_path / "odd")


def test_an_empty_folder_is_no_success(predict: Predict, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"no \*.nii.gz"):
        predict("constant", "sample", tmp_path / "empty")


@pytest.mark.parametrize("name", sorted(LEARNING))
def test_weights_come_back_as_they_were_saved(name: str, weights: Path, tmp_path: Path) -> None:
    learned = cast(Learned, LOADERS[name](weights / name / "brain.npz"))
    learned.save(tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == (weights / name / "brain.npz").read_bytes()
