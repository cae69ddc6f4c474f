"""Smooth random fields: the raw material of anatomy, texture and coil sensitivity."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import fft

Floats = NDArray[np.float32]


def gaussian_field(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    spacing_mm: Sequence[float],
    parts: Sequence[tuple[float, float]],
) -> Floats:
    """A Gaussian random field of `shape`, periodic at its borders, with expected mean 0.

    `parts` are pairs (scale, root mean square): independent components, each as smooth as white noise
    filtered with a Gaussian whose standard deviation is `scale` millimetres.
    """
    power = np.zeros((*shape[:-1], shape[-1] // 2 + 1), dtype=np.float32)
    for scale, rms in parts:
        power += _power(shape, spacing_mm, scale) * rms**2
    white = rng.standard_normal(shape, dtype=np.float32)
    field: Floats = fft.irfftn(fft.rfftn(white) * np.sqrt(power), s=shape).astype(np.float32)
    return field


def _power(shape: tuple[int, ...], spacing_mm: Sequence[float], scale: float) -> Floats:
    """Power spectrum on the half grid of a real transform, with mean 1 over the whole grid."""
    product = np.ones((1,) * len(shape), dtype=np.float32)
    for axis, (size, spacing) in enumerate(zip(shape, spacing_mm, strict=True)):
        line = np.exp(-((2 * np.pi * scale * fft.fftfreq(size, spacing)) ** 2))
        line /= line.mean()
        if axis == len(shape) - 1:
            line = line[: size // 2 + 1]
        product = product * line.reshape([-1 if other == axis else 1 for other in range(len(shape))])
    return product.astype(np.float32)
