"""Resampling a volume a fraction of a voxel aside, a slice at a time."""

import numpy as np
from numpy.typing import NDArray

from scoring.kernels.compiled import kernel


@kernel
def shifted(image: NDArray[np.float32], shift: NDArray[np.float64], moved: NDArray[np.float32]) -> None:
    """`image` (x, y, z) moved by `shift` voxels, less than one each, into `moved`; linear, borders go on."""
    nx, ny, nz = image.shape
    start, weight = np.empty(3, np.int64), np.empty(3, np.float32)
    for axis in range(3):
        start[axis] = int(np.floor(-shift[axis]))
        weight[axis] = -shift[axis] - start[axis]
    u, v, w = weight
    one = np.float32(1)
    for i in range(nx):
        i0 = min(max(i + start[0], 0), nx - 1)
        i1 = min(max(i + start[0] + 1, 0), nx - 1)
        for j in range(ny):
            j0 = min(max(j + start[1], 0), ny - 1)
            j1 = min(max(j + start[1] + 1, 0), ny - 1)
            for k in range(nz):
                k0 = min(max(k + start[2], 0), nz - 1)
                k1 = min(max(k + start[2] + 1, 0), nz - 1)
                near = (image[i0, j0, k0] * (one - v) + image[i0, j1, k0] * v) * (one - u) + (
                    image[i1, j0, k0] * (one - v) + image[i1, j1, k0] * v
                ) * u
                far = (image[i0, j0, k1] * (one - v) + image[i0, j1, k1] * v) * (one - u) + (
                    image[i1, j0, k1] * (one - v) + image[i1, j1, k1] * v
                ) * u
                moved[i, j, k] = near * (one - w) + far * w


@kernel
def quantise(image: NDArray[np.float32], gain: float, levels: int) -> None:
    """Scale, cut off at 0 and 1, and round to multiples of 1 / `levels`, in place."""
    flat = image.ravel()
    for n in range(flat.size):
        value = min(max(float(flat[n]) * gain, 0.0), 1.0)
        flat[n] = np.float32(np.rint(value * levels) / levels)
