import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import spsolve

from datasets.anomalies.corruptions.poisson_patch import (
    PoissonPatch,
    guidance_divergence,
    laplacian,
    solve,
    with_patch,
)

INNER = (slice(1, -1),) * 3


def _random(seed: int, shape: tuple[int, int, int]) -> NDArray[np.float64]:
    return np.random.default_rng(seed).random(shape)


def _sparse_solution(divergence: NDArray[np.float64], border: NDArray[np.float64]) -> NDArray[np.float64]:
    """The oracle: one equation a voxel, written out and solved directly."""
    number = {place: i for i, place in enumerate(np.ndindex(divergence.shape))}
    matrix, right = sparse.lil_matrix((len(number), len(number))), divergence.ravel().copy()
    for place, row in number.items():
        matrix[row, row] = -6
        for axis in range(3):
            for step in (-1, 1):
                beside = tuple(p + step * (a == axis) for a, p in enumerate(place))
                if beside in number:
                    matrix[row, number[beside]] = 1
                else:
                    right[row] -= border[tuple(p + 1 for p in beside)]
    result = border.copy()
    result[INNER] = spsolve(matrix.tocsr(), right).reshape(divergence.shape)
    return result


@pytest.mark.parametrize("shape", [(3, 3, 3), (9, 5, 7), (24, 31, 20)])
def test_the_solution_satisfies_the_discrete_equation(shape: tuple[int, int, int]) -> None:
    host, foreign = _random(0, shape), _random(1, shape)
    divergence = guidance_divergence(host, foreign, 0.7)
    blended = solve(divergence, host)
    assert np.abs(laplacian(blended) - divergence).max() < 1e-8
    edge = np.ones(shape, bool)
    edge[INNER] = False
    assert np.array_equal(blended[edge], host[edge])


def test_it_agrees_with_a_sparse_direct_solver() -> None:
    host, divergence = _random(2, (7, 6, 8)), _random(3, (5, 4, 6))
    assert np.abs(solve(divergence, host) - _sparse_solution(divergence, host)).max() < 1e-10


def test_strength_zero_gives_the_host_back() -> None:
    host, foreign = _random(4, (8, 9, 10)), _random(5, (8, 9, 10))
    assert np.abs(solve(guidance_divergence(host, foreign, 0.0), host) - host).max() < 1e-10


def test_a_constant_added_to_the_donor_changes_nothing() -> None:
    host, foreign = _random(6, (8, 8, 8)), _random(7, (8, 8, 8))
    plain, brighter = (solve(guidance_divergence(host, foreign + c, 1.0), host) for c in (0.0, 5.0))
    assert np.abs(plain - brighter).max() < 1e-10


def test_a_donor_equal_to_the_host_gives_the_host_back_at_full_strength() -> None:
    host = _random(8, (8, 7, 6))
    assert np.abs(solve(guidance_divergence(host, host, 1.0), host) - host).max() < 1e-10


def test_a_patch_changes_only_its_inside_and_stays_in_range() -> None:
    image, donor = (_random(seed, (16, 16, 16)).astype(np.float32) for seed in (9, 10))
    patch = PoissonPatch(corner=(4, 5, 6), donor_corner=(1, 2, 3), size=(8, 7, 6), strength=0.9)
    altered = with_patch(image, donor, patch)
    outside = np.ones(image.shape, bool)
    outside[5:11, 6:11, 7:11] = False
    assert np.array_equal(altered[outside], image[outside])
    assert altered.min() >= 0
    assert altered.max() <= 1
    assert not np.array_equal(altered, image)
