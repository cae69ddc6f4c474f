"""A scan on a coarser grid, and back: principal components of native voxels would fill the memory."""

import numpy as np
from numpy.typing import NDArray

LONGEST = 64  # voxels along the longest axis


def factor_for(shape: tuple[int, ...]) -> int:
    """How many voxels along each axis become one."""
    return -(-max(shape) // LONGEST)


def reduced(data: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """Means of blocks of `factor`³ voxels; what is missing at the ends repeats the last voxel."""
    padded = np.pad(data, [(0, -length % factor) for length in data.shape], mode="edge")
    for axis in range(padded.ndim):
        length = padded.shape[axis] // factor
        split = (*padded.shape[:axis], length, factor, *padded.shape[axis + 1 :])
        padded = padded.reshape(split).mean(axis=axis + 1, dtype=np.float32)
    return padded


def enlarged(coarse: NDArray[np.float32], factor: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Linear between the middles of blocks, constant beyond the outermost; the inverse grid of `reduced`."""
    for axis, length in enumerate(shape):
        place = np.clip((np.arange(length) + 0.5) / factor - 0.5, 0, coarse.shape[axis] - 1)
        below = np.floor(place).astype(np.int64)
        above = np.minimum(below + 1, coarse.shape[axis] - 1)
        share = (place - below).astype(np.float32).reshape(-1, *(1,) * (coarse.ndim - axis - 1))
        coarse = coarse.take(below, axis) * (1 - share) + coarse.take(above, axis) * share
    return coarse
