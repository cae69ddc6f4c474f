"""Blending a box of one scan into another by Poisson's equation: by sine transforms, and by sparse solvers.

The boxes are random: for the sine transform all are alike, and the others get nothing that suits them.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import cg, spsolve

from datasets.anomalies.corruptions.poisson_patch import guidance_divergence, laplacian, solve

STRENGTH = 0.8
TOLERANCE = 1e-10  # of conjugate gradients, relative to the right side
INNER = (slice(1, -1),) * 3
Array = NDArray[Any]


def by_sines(side: int, dtype: str, times: int) -> Callable[[], None]:
    """Blend the same box `times` times."""
    host, foreign = boxes(side, dtype)
    blended(host, foreign)

    def work() -> None:
        for _ in range(times):
            blended(host, foreign)

    return work


def by_conjugate_gradients(side: int) -> Callable[[], float]:
    """Build the matrix, and start from the host; gives the largest error beside the sine transform."""
    return lambda: _error(side, lambda matrix, right, start: _iterated(matrix, right, start))


def by_elimination(side: int) -> Callable[[], float]:
    """The same with SciPy's direct solver."""
    return lambda: _error(side, lambda matrix, right, start: spsolve(matrix.tocsc(), right))


def agreement(side: int) -> dict[str, float]:
    """The residual of the discrete equation, and how far float32 lies off, over the range of the host."""
    host, foreign = boxes(side, "float64")
    found, divergence = blended(host, foreign), guidance_divergence(host, foreign, STRENGTH)
    single = blended(host.astype(np.float32), foreign.astype(np.float32))
    wide = float(np.ptp(host))
    return {
        "residual": float(np.abs(laplacian(found) - divergence).max()) / wide,
        "float32": float(np.abs(single - found).max()) / wide,
    }


def boxes(side: int, dtype: str) -> tuple[Array, Array]:
    """Two boxes (x, y, z) of `side` voxels, a border of one included."""
    rng = np.random.default_rng(64)
    host, foreign = rng.random((2, side, side, side)).astype(dtype)
    return host, foreign


def blended(host: Array, foreign: Array) -> Array:
    """As a Poisson patch does it."""
    return solve(guidance_divergence(host, foreign, STRENGTH), host)


def _error(side: int, solver: Callable[[Any, Array, Array], Array]) -> float:
    host, foreign = boxes(side, "float64")
    border = host.copy()
    border[INNER] = 0
    right = laplacian(border) - guidance_divergence(host, foreign, STRENGTH)
    found = solver(_matrix(side - 2), right.ravel(), host[INNER].ravel())
    return float(np.abs(found - blended(host, foreign)[INNER].ravel()).max())


def _iterated(matrix: Any, right: Array, start: Array) -> Array:
    found, left = cg(matrix, right, x0=start, rtol=TOLERANCE, atol=0.0)
    if left:
        raise RuntimeError(f"conjugate gradients did not converge in {left} steps")
    return np.asarray(found)


def _matrix(side: int) -> Any:
    """Minus the Laplacian with fixed borders, compressed by rows."""
    line = sparse.diags_array([-1.0, 2.0, -1.0], offsets=[-1, 0, 1], shape=(side, side))
    one = sparse.eye_array(side)
    across = sparse.kron(sparse.kron(line, one), one) + sparse.kron(sparse.kron(one, line), one)
    return (across + sparse.kron(sparse.kron(one, one), line)).tocsr()
