"""Resampling a volume at places that a coarse lattice of displacements gives, a voxel at a time."""

import numpy as np
from numpy.typing import NDArray

from scoring.kernels.compiled import kernel


@kernel
def _weights(t: float, into: NDArray[np.float32]) -> None:
    """Of four samples in a row for a place `t` behind the second (Catmull-Rom)."""
    into[0] = np.float32(((-0.5 * t + 1.0) * t - 0.5) * t)
    into[1] = np.float32((1.5 * t - 2.5) * t * t + 1.0)
    into[2] = np.float32(((-1.5 * t + 2.0) * t + 0.5) * t)
    into[3] = np.float32((0.5 * t - 0.5) * t * t)


@kernel
def _sample(
    image: NDArray[np.float32], place: NDArray[np.float64], w: NDArray[np.float32], at: NDArray[np.int64]
) -> float:
    """Cubic, but within the range of the eight voxels around, so that edges do not ring; borders go on."""
    for axis in range(3):
        low = int(np.floor(place[axis]))
        _weights(place[axis] - low, w[axis])
        for tap in range(4):
            at[axis, tap] = min(max(low + tap - 1, 0), image.shape[axis] - 1)
    least = most = image[at[0, 1], at[1, 1], at[2, 1]]
    for a in range(1, 3):
        for b in range(1, 3):
            for c in range(1, 3):
                value = image[at[0, a], at[1, b], at[2, c]]
                least, most = min(least, value), max(most, value)
    if least == most:
        return least
    total = np.float32(0)
    for a in range(4):
        for b in range(4):
            weight = w[0, a] * w[1, b]
            line = image[at[0, a], at[1, b]]
            row = np.float32(0)
            for c in range(4):
                row += w[2, c] * line[at[2, c]]
            total += weight * row
    return min(max(total, least), most)


@kernel
def warped(
    image: NDArray[np.float32],
    lattice: NDArray[np.float32],
    filled: bool,
    fill: float,
    result: NDArray[np.float32],
) -> None:
    """Every voxel of `result` is `image` at its own place plus the displacement there.

    `lattice`: (a, b, c, 3), in voxels, at nodes evenly spread from the first voxel to the last along each
    axis, at least two; linear between. Beyond the border is `fill` where `filled`, else the border's value.
    """
    nx, ny, nz = image.shape
    na, nb, nc = lattice.shape[0], lattice.shape[1], lattice.shape[2]
    line = np.empty((nc, 3), np.float64)
    place, w, at = np.empty(3, np.float64), np.empty((3, 4), np.float32), np.empty((3, 4), np.int64)
    for i in range(nx):
        u = i * (na - 1) / max(nx - 1, 1)
        a = min(int(u), na - 2)
        u -= a
        for j in range(ny):
            v = j * (nb - 1) / max(ny - 1, 1)
            b = min(int(v), nb - 2)
            v -= b
            for c in range(nc):
                for axis in range(3):
                    line[c, axis] = (1 - u) * (
                        (1 - v) * lattice[a, b, c, axis] + v * lattice[a, b + 1, c, axis]
                    ) + u * ((1 - v) * lattice[a + 1, b, c, axis] + v * lattice[a + 1, b + 1, c, axis])
            for k in range(nz):
                q = k * (nc - 1) / max(nz - 1, 1)
                c = min(int(q), nc - 2)
                q -= c
                moved = False
                for axis in range(3):
                    step = (1 - q) * line[c, axis] + q * line[c + 1, axis]
                    moved = moved or step != 0.0
                    place[axis] = step
                if not moved:
                    result[i, j, k] = image[i, j, k]
                    continue
                place[0] += i
                place[1] += j
                place[2] += k
                outside = False
                for axis in range(3):
                    outside = outside or place[axis] < -0.5 or place[axis] > image.shape[axis] - 0.5
                if filled and outside:
                    result[i, j, k] = fill
                else:
                    result[i, j, k] = _sample(image, place, w, at)
