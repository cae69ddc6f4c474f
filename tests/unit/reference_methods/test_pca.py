"""The algebra of principal components, and the coarse grid."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.decomposition import PCA

from reference_methods.pca.grid import LONGEST, enlarged, factor_for, reduced
from reference_methods.pca.model import Subspace
from reference_methods.pca.train import COMPONENTS, learn, train
from tests.unit.reference_methods import scans


def coarse(count: int = 30) -> np.ndarray:
    return np.random.default_rng(1).normal(0.5, 0.1, (count, 6, 7, 8)).astype(np.float32)


def test_components_are_orthonormal_and_span_what_scikit_learn_finds() -> None:
    found, rows = learn(coarse()), coarse().reshape(30, -1)
    assert np.allclose(found.components @ found.components.T, np.eye(15), atol=1e-5)
    peer = PCA(15, svd_solver="full").fit(rows)
    assert np.allclose(found.mean, peer.mean_, atol=1e-6)
    assert np.allclose(np.abs(found.components @ peer.components_.T), np.eye(15), atol=1e-3)


def test_there_are_at_most_twenty_components_and_half_as_many_as_scans() -> None:
    assert [len(learn(coarse(count)).components) for count in (4, 9, 60)] == [2, 4, COMPONENTS]


def test_what_the_components_can_tell_has_no_residual() -> None:
    found = learn(coarse())
    inside = found.mean + np.array([0.3, -2.0, *[0.1] * 13], np.float32) @ found.components
    assert np.abs(found.residual(inside.reshape(6, 7, 8))).max() < 1e-5


def test_a_residual_grows_with_the_contrast_of_what_is_foreign() -> None:
    found, scan = learn(coarse()), coarse()[3]
    foreign = np.zeros_like(scan)
    foreign[2, 3, 4] = 1
    one, two = (found.residual(scan + step * foreign) - found.residual(scan) for step in (0.5, 1.0))
    assert np.allclose(2 * one, two, atol=1e-5)
    assert one[2, 3, 4] > 0.3


def test_scans_alike_leave_a_subspace_without_directions_and_no_error() -> None:
    same = np.repeat(coarse(1), 6, axis=0)
    found = learn(same)
    assert np.isfinite(found.components).all()
    assert np.abs(Subspace(found.mean, found.components).residual(same[0])).max() < 1e-5


@pytest.mark.parametrize(("shape", "factor"), [((20, 24, 22), 1), ((64, 64, 65), 2), ((256, 256, 256), 4)])
def test_the_coarse_grid_has_at_most_64_voxels_a_side(shape: tuple[int, ...], factor: int) -> None:
    assert factor_for(shape) == factor
    assert -(-max(shape) // factor) <= LONGEST


def test_a_coarse_voxel_is_the_mean_of_its_block_and_a_slope_survives_there_and_back() -> None:
    data = np.arange(9 * 10 * 11, dtype=np.float32).reshape(9, 10, 11)
    small = reduced(data, 3)
    assert small.shape == (3, 4, 4)
    assert small[1, 2, 1] == pytest.approx(data[3:6, 6:9, 3:6].mean())
    slope = np.broadcast_to(np.arange(12, dtype=np.float32)[:, None, None], (12, 12, 12))
    back = enlarged(reduced(slope, 4), 4, (12, 12, 12))
    assert back.shape == (12, 12, 12)
    assert np.allclose(back[2:10], slope[2:10], atol=1e-5)
    assert np.array_equal(enlarged(data, 1, data.shape), data)


def test_few_scans_and_scans_of_two_shapes_are_refused(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    paths = [scans.write(tmp_path / f"{i}.nii.gz", scans.normal(generator)) for i in range(4)]
    with pytest.raises(ValueError, match="3 training scans; components and their residuals need 4"):
        train(paths[:3])
    scans.write(paths[2], np.zeros((8, 8, 8), np.float32))
    with pytest.raises(ValueError, match=r"2\.nii\.gz is \(8, 8, 8\)"):
        train(paths)
