"""A box of another person, blended in without a seam: Poisson image editing (Pérez et al., SIGGRAPH 2003).

As training task it is PII (Tan et al., MICCAI 2021). The box is a rectangle, so the sine transform of type I
diagonalises the equation: the solution is exact, in three dimensions, without iterations.
"""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from datasets.anomalies.scene import (
    EVERYWHERE,
    Box,
    Category,
    Difficulty,
    Floats,
    Group,
    Scene,
    Voxel,
    graded,
    place,
)

Doubles = NDArray[np.float64]
INNER = (slice(1, -1),) * 3


@dataclass(frozen=True)
class PoissonPatch:
    """Corner and size in voxels, one voxel of fixed border on each side included.

    `strength` weighs the donor's gradients against the host's; of the two, the steeper one is kept.
    """

    name: ClassVar[str] = "poisson-patch"
    category: ClassVar[Category] = "local"
    group: ClassVar[Group] = "corruptions"
    populations: ClassVar[tuple[str, ...]] = EVERYWHERE
    needs_donor: ClassVar[bool] = True
    corner: Voxel
    donor_corner: Voxel
    size: Voxel
    strength: float

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """Sides of about 30, 23 or 16 % of the volume's, centred in both anatomies, at unrelated places."""
        if scene.donor is None:
            raise ValueError("a Poisson patch needs a donor")
        shape = scene.subject.image.shape
        share = graded(difficulty, (0.26, 0.34), (0.20, 0.26), (0.14, 0.20))
        strength = graded(difficulty, (0.8, 1.0), (0.6, 0.8), (0.35, 0.6))
        sides = [max(round(float(rng.uniform(*share)) * n), 5) for n in shape]
        size = (min(sides[0], shape[0]), min(sides[1], shape[1]), min(sides[2], shape[2]))
        corner = _corner(place(rng, scene.subject.foreground, max(size) // 2), size, shape)
        donor_corner = _corner(place(rng, scene.donor.foreground, max(size) // 2), size, shape)
        return cls(corner, donor_corner, size, float(rng.uniform(*strength)))

    def apply(self, scene: Scene) -> Floats:
        if scene.donor is None:
            raise ValueError("a Poisson patch needs a donor")
        return with_patch(scene.subject.image, scene.donor.image, self)


def with_patch(image: Floats, donor: Floats, patch: PoissonPatch) -> Floats:
    """`image` with the donor's box blended in, cut off at [0, 1]."""
    result = image.copy()
    here, there = _box(patch.corner, patch.size), _box(patch.donor_corner, patch.size)
    host, foreign = image[here].astype(np.float64), donor[there].astype(np.float64)
    divergence = guidance_divergence(host, foreign, patch.strength)
    result[here] = np.clip(solve(divergence, host), 0, 1).astype(np.float32)
    return result


def guidance_divergence(host: Doubles, foreign: Doubles, strength: float) -> Doubles:
    """Divergence, at the inner voxels, of the steeper of the two weighted gradients; inputs (x, y, z)."""
    total = np.zeros(tuple(n - 2 for n in host.shape))
    for axis in range(3):
        own, other = (1 - strength) * np.diff(host, axis=axis), strength * np.diff(foreign, axis=axis)
        steeper = np.where(np.abs(own) > np.abs(other), own, other)
        across = tuple(slice(None) if a == axis else slice(1, -1) for a in range(3))
        total += np.diff(steeper[across], axis=axis)
    return total


def solve(divergence: Doubles, border: Doubles) -> Doubles:
    """The f with discrete Laplacian `divergence` inside and the values of `border` on the box's surface.

    `border` is (x, y, z), only its outermost voxels are used; `divergence` is two voxels smaller per axis.
    """
    result = border.astype(np.float64)
    result[INNER] = 0
    right = divergence - laplacian(result)
    eigenvalues = sum(
        (2 * np.cos(np.pi * np.arange(1, n + 1) / (n + 1)) - 2).reshape(
            [-1 if a == axis else 1 for a in range(3)]
        )
        for axis, n in enumerate(right.shape)
    )
    result[INNER] = fft.idstn(fft.dstn(right, type=1) / eigenvalues, type=1)
    return result


def laplacian(values: Doubles) -> Doubles:
    """Sum of the six neighbours minus six times the voxel, at the inner voxels."""
    total = -6 * values[INNER]
    for axis in range(3):
        for step in (slice(None, -2), slice(2, None)):
            total = total + values[tuple(step if a == axis else slice(1, -1) for a in range(3))]
    return total


def _corner(centre: Voxel, size: Voxel, shape: tuple[int, ...]) -> Voxel:
    x, y, z = (min(max(c - s // 2, 0), n - s) for c, s, n in zip(centre, size, shape, strict=True))
    return x, y, z


def _box(corner: Voxel, size: Voxel) -> Box:
    x, y, z = (slice(c, c + s) for c, s in zip(corner, size, strict=True))
    return x, y, z
