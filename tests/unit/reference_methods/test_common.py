"""The parts that methods share."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from reference_methods.common import cases
from reference_methods.common.smoothing import gaussian
from reference_methods.common.squashing import SignedSquashing, Squashing
from reference_methods.histogram.train import learn_rarity, learn_subspace
from reference_methods.voxel_statistics.train import learn_atlas
from tests.unit.reference_methods import scans


@pytest.mark.parametrize("sigma", [0.7, 1.0, 2.0])
def test_smoothing_equals_scipy(sigma: float) -> None:
    volume = np.random.default_rng(7).random((9, 12, 30), dtype=np.float32)
    reach = int(np.ceil(3 * sigma))
    expected = gaussian_filter(volume, sigma, mode="nearest", radius=reach)
    assert np.allclose(gaussian(volume, sigma), expected, atol=1e-6)


def test_smoothing_leaves_a_constant_alone() -> None:
    assert np.allclose(gaussian(np.full((5, 6, 7), 0.3, dtype=np.float32), 1.5), 0.3)


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.floats(1e-3, 1e3))
def test_squashing_keeps_the_order_and_the_range(low: float, high: float, scale: float) -> None:
    low, high = sorted([low, high])
    curve = Squashing(scale)
    assert 0 <= curve.one(low) <= curve.one(high) <= 1


def test_the_scale_of_training_gets_one_half() -> None:
    assert Squashing.learn([1.0, 2.0, 3.0], percentile=50).one(2.0) == 0.5


def test_training_scores_of_zero_do_not_divide_by_zero() -> None:
    assert Squashing.learn([0.0, 0.0]).one(0.0) == 0.0


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(-1e3, 1e3), st.floats(1e-3, 1e3))
def test_signed_squashing_keeps_the_order_and_the_range(
    low: float, high: float, centre: float, scale: float
) -> None:
    low, high = sorted([low, high])
    curve = SignedSquashing(centre, scale)
    assert 0 <= curve.one(low) <= curve.one(high) <= 1


def test_signed_squashing_tells_scores_apart_that_are_far_above_all_of_training() -> None:
    curve = SignedSquashing(-40.0, 5.0)
    assert curve.one(1e5) < curve.one(1.1e5) < curve.one(1e9) < 1


def test_of_training_scores_of_either_sign_the_median_gets_a_quarter_and_the_high_ones_half() -> None:
    curve = SignedSquashing.learn([-5.0, -3.0, 2.0], percentile=100)
    assert (curve.one(-3.0), curve.one(2.0)) == (0.25, 0.5)
    assert SignedSquashing.learn([-7.0, -7.0]).one(-7.0) == 0.5


def test_the_atlas_is_mean_and_deviation_of_the_scans(tmp_path: Path) -> None:
    generator = np.random.default_rng(8)
    volumes = [scans.normal(generator) for _ in range(5)]
    paths = [scans.write(tmp_path / f"{n}.nii.gz", volume) for n, volume in enumerate(volumes)]
    atlas = learn_atlas(paths)
    assert np.allclose(atlas.mean, np.mean(volumes, axis=0), atol=1e-6)
    assert np.allclose(atlas.deviation, np.std(volumes, axis=0, ddof=1), atol=1e-5)


def test_one_scan_is_too_few_for_an_atlas(tmp_path: Path) -> None:
    path = scans.write(tmp_path / "0.nii.gz", scans.normal(np.random.default_rng(9)))
    with pytest.raises(ValueError, match="at least two"):
        learn_atlas([path])


def test_training_scans_of_several_shapes_are_refused(tmp_path: Path) -> None:
    first = scans.write(tmp_path / "0.nii.gz", np.zeros((4, 4, 4), dtype=np.float32))
    second = scans.write(tmp_path / "1.nii.gz", np.zeros((4, 4, 5), dtype=np.float32))
    with pytest.raises(ValueError, match=r"1\.nii\.gz is"):
        learn_atlas([first, second])


def test_the_distance_is_mahalanobis_where_the_subspace_holds_everything() -> None:
    generator = np.random.default_rng(10)
    features = generator.normal(size=(200, 3)) * [3.0, 2.0, 1.0]
    subspace = learn_subspace(features)
    point = np.array([1.0, -2.0, 3.0])
    centred = point - features.mean(axis=0)
    covariance = np.cov(features, rowvar=False)
    expected = np.sqrt(centred @ np.linalg.solve(covariance, centred))
    assert subspace.distance(point) == pytest.approx(expected, rel=1e-6)


def test_training_scans_that_are_all_alike_leave_finite_distances() -> None:
    subspace = learn_subspace(np.full((8, 5), 0.4))
    assert subspace.distance(np.full(5, 0.4)) == pytest.approx(0, abs=1e-9)
    assert np.isfinite(subspace.distance(np.full(5, 0.9)))


def test_what_was_never_seen_is_more_surprising_than_what_was() -> None:
    surprise = learn_rarity(np.array([[0, 1, 9]])).surprise[0]
    assert surprise[0] > surprise[1] > surprise[2] > 0


@pytest.mark.parametrize("score", [-0.1, 1.1, float("nan")])
def test_scores_out_of_range_are_not_written(score: float, tmp_path: Path) -> None:
    case = cases.read(scans.write(tmp_path / "0.nii.gz", np.zeros((2, 2, 2), dtype=np.float32)))
    with pytest.raises(ValueError, match="outside"):
        cases.write_score(tmp_path, case, score)
    with pytest.raises(ValueError, match="outside"):
        cases.write_map(tmp_path, case, np.full((2, 2, 2), score, dtype=np.float32))
    assert [path.name for path in tmp_path.iterdir()] == ["0.nii.gz"]


def test_a_map_of_another_shape_is_not_written(tmp_path: Path) -> None:
    case = cases.read(scans.write(tmp_path / "0.nii.gz", np.zeros((2, 2, 2), dtype=np.float32)))
    with pytest.raises(ValueError, match=r"\(2, 2, 1\)"):
        cases.write_map(tmp_path, case, np.zeros((2, 2, 1), dtype=np.float32))


def test_a_file_of_four_axes_is_refused(tmp_path: Path) -> None:
    path = scans.write(tmp_path / "0.nii.gz", np.zeros((2, 2, 2, 2), dtype=np.float32))
    with pytest.raises(ValueError, match="4 axes"):
        cases.read(path)
