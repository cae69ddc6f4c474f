"""A box of another person, blended in without a seam: Poisson image editing (Pérez et al., SIGGRAPH 2003).

As training task it is PII (Tan et al., MICCAI 2021). The box is a rectangle, so the sine transform of type I
diagonalises the equation: the solution is exact, in three dimensions, without iterations.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Self, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray
from scipy import fft

from datasets.anomalies.regions import lively
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
from datasets.kernels.poisson import mixed_divergence

Real = TypeVar("Real", np.float32, np.float64)
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
        wanted = [max(round(float(rng.uniform(*share)) * n), 5) for n in shape]
        x, y, z = (smooth_size(min(side, n)) for side, n in zip(wanted, shape, strict=True))
        size = x, y, z
        corner = _corner(lively(rng, scene, max(size) // 2), size, shape)
        donor_corner = _corner(place(rng, scene.donor.foreground, max(size) // 2), size, shape)
        return cls(corner, donor_corner, size, float(rng.uniform(*strength)))

    def apply(self, scene: Scene) -> Floats:
        if scene.donor is None:
            raise ValueError("a Poisson patch needs a donor")
        return with_patch(scene.subject.image, scene.donor.image, self)


def with_patch(image: Floats, donor: Floats, patch: PoissonPatch) -> Floats:
    """`image` with the donor's box blended in, cut off at the range that the two boxes have."""
    result = image.copy()
    host, foreign = image[_box(patch.corner, patch.size)], donor[_box(patch.donor_corner, patch.size)]
    blended = solve(guidance_divergence(host, foreign, patch.strength), host)
    low, high = min(host.min(), foreign.min()), max(host.max(), foreign.max())
    result[_box(patch.corner, patch.size)] = np.clip(blended, low, high)
    return result


def guidance_divergence(host: NDArray[Real], foreign: NDArray[Real], strength: float) -> NDArray[Real]:
    """Divergence, at the inner voxels, of the steeper of the two weighted gradients; inputs (x, y, z)."""
    found = np.empty([n - 2 for n in host.shape], dtype=host.dtype)
    mixed_divergence(host, foreign, strength, found)
    return found


def solve(divergence: NDArray[Real], border: NDArray[Real], dtype: DTypeLike | None = None) -> NDArray[Any]:
    """The f with discrete Laplacian `divergence` inside and the values of `border` on the box's surface.

    `border` is (x, y, z), only its outermost voxels are used; `divergence` is two voxels smaller per axis.
    Computed in `dtype`, which is that of `border` unless given; fast where `smooth_size` names the sides.
    """
    result = np.array(border, dtype=dtype)
    right = _inwards(np.array(divergence, dtype=result.dtype), result)
    spectrum = fft.dstn(right, type=1, overwrite_x=True)
    spectrum /= _eigenvalues(spectrum.shape, result.dtype)
    result[INNER] = fft.idstn(spectrum, type=1, overwrite_x=True)
    return result


def smooth_size(wanted: int) -> int:
    """The largest side of at most `wanted` voxels, or 3, that the sine transform handles fast.

    A box of n voxels, two of them border, takes Fourier transforms of length 2 (n - 1): n - 1 must have no
    prime factor above 5.
    """
    return next((n for n in range(wanted, 3, -1) if _is_smooth(n - 1)), 3)


def _is_smooth(number: int) -> bool:
    for prime in (2, 3, 5):
        while number % prime == 0:
            number //= prime
    return number == 1


def _inwards(right: NDArray[Any], border: NDArray[Any]) -> NDArray[Any]:
    """`right` less what the fixed voxels beside contribute to the Laplacian, in place."""
    for axis in range(3):
        inner = tuple(slice(None) if a == 0 else slice(1, -1) for a in range(3))
        faces, values = np.moveaxis(right, axis, 0), np.moveaxis(border, axis, 0)[inner]
        faces[0] -= values[0]
        faces[-1] -= values[-1]
    return right


def _eigenvalues(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """Of the Laplacian with fixed borders, (x, y, z); squares of sines, since 2 cos - 2 loses digits."""
    lines = [-4 * np.sin(np.pi * np.arange(1, n + 1) / (2 * (n + 1))) ** 2 for n in shape]
    x, y, z = (line.astype(dtype) for line in lines)
    found: NDArray[Any] = x[:, None, None] + y[:, None] + z
    return found


def laplacian(values: NDArray[Real]) -> NDArray[Real]:
    """Sum of the six neighbours minus six times the voxel, at the inner voxels."""
    total: NDArray[Real] = -6 * values[INNER]
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
