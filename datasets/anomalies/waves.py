"""Very smooth random fields over a whole scan: a few long plane waves, the same at any resolution.

A wave is (x, y, z, phase): cycles from one side of the volume to the other, and radians.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from datasets.anomalies.scene import Floats

Wave = tuple[float, float, float, float]
Waves = tuple[Wave, ...]


def draw_waves(rng: np.random.Generator, count: int, cycles: tuple[float, float]) -> Waves:
    """Waves of random direction with so many cycles across the volume."""
    directions = rng.standard_normal((count, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    vectors = directions * rng.uniform(*cycles, (count, 1))
    phases = rng.uniform(0, 2 * np.pi, count)
    return tuple(
        (float(x), float(y), float(z), float(p)) for (x, y, z), p in zip(vectors, phases, strict=True)
    )


def planes(waves: Waves, shape: tuple[int, ...]) -> Iterator[Floats]:
    """The field, of variance 1, plane by plane along the first axis, each float32 (y, z)."""
    x, y, z = (_along(waves, axis, size) for axis, size in enumerate(shape))
    x = x * np.exp(1j * np.array([[wave[3]] for wave in waves])) * (2 / len(waves)) ** 0.5
    y, z = y.astype(np.complex64), z.astype(np.complex64)
    for column in x.astype(np.complex64).T:
        plane: Floats = ((y * column[:, None]).T @ z).real
        yield plane


def _along(waves: Waves, axis: int, size: int) -> NDArray[np.complex128]:
    """(waves, size)"""
    cycles = np.array([[wave[axis]] for wave in waves])
    turns: NDArray[np.complex128] = np.exp(2j * np.pi * cycles * (np.arange(size) + 0.5) / size)
    return turns
