"""Gaussian smoothing with numpy alone."""

import numpy as np
from numpy.typing import NDArray


def gaussian(volume: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """Smooth along every axis. `sigma` in voxels; the kernel ends at three sigma, edge values go on."""
    kernel = _kernel(sigma)
    for axis in range(volume.ndim):
        volume = _convolve(volume, kernel, axis)
    return volume


def _kernel(sigma: float) -> NDArray[np.float32]:
    reach = int(np.ceil(3 * sigma))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel: NDArray[np.float32] = (weights / weights.sum()).astype(np.float32)
    return kernel


def _convolve(volume: NDArray[np.float32], kernel: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    reach, length = len(kernel) // 2, volume.shape[axis]
    padding = [(reach, reach) if other == axis else (0, 0) for other in range(volume.ndim)]
    padded = np.moveaxis(np.pad(volume, padding, mode="edge"), axis, 0)
    total = np.zeros_like(np.moveaxis(volume, axis, 0))
    for shift, weight in enumerate(kernel):
        total += weight * padded[shift : shift + length]
    return np.moveaxis(total, 0, axis)
