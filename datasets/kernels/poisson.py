"""The right side of Poisson's equation in one pass, without gradient fields in memory."""

import numpy as np
from numpy.typing import NDArray

from scoring.kernels.compiled import kernel


@kernel
def steeper(own: float, other: float, strength: float) -> float:
    """Of the two weighted differences the one of larger magnitude."""
    mine, theirs = (1 - strength) * own, strength * other
    return mine if abs(mine) > abs(theirs) else theirs


@kernel
def mixed_divergence(
    host: NDArray[np.floating], foreign: NDArray[np.floating], strength: float, found: NDArray[np.floating]
) -> None:
    """Divergence of the steeper of the two weighted gradients at the inner voxels, into `found`.

    `host` and `foreign` are (x, y, z); `found` is two voxels smaller along each axis.
    """
    nx, ny, nz = found.shape
    for i in range(nx):
        for j in range(ny):
            for k in range(nz):
                h, f = host[i + 1, j + 1, k + 1], foreign[i + 1, j + 1, k + 1]
                found[i, j, k] = (
                    steeper(host[i + 2, j + 1, k + 1] - h, foreign[i + 2, j + 1, k + 1] - f, strength)
                    - steeper(h - host[i, j + 1, k + 1], f - foreign[i, j + 1, k + 1], strength)
                    + steeper(host[i + 1, j + 2, k + 1] - h, foreign[i + 1, j + 2, k + 1] - f, strength)
                    - steeper(h - host[i + 1, j, k + 1], f - foreign[i + 1, j, k + 1], strength)
                    + steeper(host[i + 1, j + 1, k + 2] - h, foreign[i + 1, j + 1, k + 2] - f, strength)
                    - steeper(h - host[i + 1, j + 1, k], f - foreign[i + 1, j + 1, k], strength)
                )
