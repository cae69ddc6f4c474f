"""A corruption: a block of anatomy mirrored in its own middle."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from datasets.anomalies.regions import lively, smooth_step
from datasets.anomalies.scene import EVERYWHERE, Category, Difficulty, Floats, Group, Scene, Voxel, graded


@dataclass(frozen=True)
class LocalReflection:
    """`corner` and `size` of the block in voxels, mirrored along image axis `axis`; `feather` is the width,
    in voxels, over which it passes into its surroundings, `opacity` the share that is mirrored inside."""

    name: ClassVar[str] = "local-reflection"
    category: ClassVar[Category] = "local"
    group: ClassVar[Group] = "corruptions"
    populations: ClassVar[tuple[str, ...]] = EVERYWHERE
    needs_donor: ClassVar[bool] = False
    corner: Voxel
    size: Voxel
    axis: int
    feather: float
    opacity: float

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """Sides of about 32, 25 or 18 % of the volume's."""
        shape = scene.subject.image.shape
        share = graded(difficulty, (0.28, 0.36), (0.22, 0.28), (0.15, 0.21))
        opacity = graded(difficulty, (1.0, 1.0), (0.85, 1.0), (0.5, 0.75))
        x, y, z = (min(max(round(float(rng.uniform(*share)) * n), 4), n) for n in shape)
        centre = lively(rng, scene, max(x, y, z) // 2)
        i, j, k = (min(max(c - s // 2, 0), n - s) for c, s, n in zip(centre, (x, y, z), shape, strict=True))
        return cls(
            corner=(i, j, k),
            size=(x, y, z),
            axis=int(rng.integers(3)),
            feather=float(rng.uniform(0.1, 0.2)) * min(x, y, z),
            opacity=float(rng.uniform(*opacity)),
        )

    def apply(self, scene: Scene) -> Floats:
        return mirrored(scene.subject.image, self)


def mirrored(image: Floats, block: LocalReflection) -> Floats:
    """`image` with the block mirrored; without feather and at full opacity, twice gives it back."""
    result = image.copy()
    x, y, z = (slice(c, c + s) for c, s in zip(block.corner, block.size, strict=True))
    share = np.float32(block.opacity) * feathered(block.size, block.feather)
    old, mirror = image[x, y, z], np.flip(image[x, y, z], block.axis)
    result[x, y, z] = np.where(share >= 1, mirror, old + share * (mirror - old))
    return result


def feathered(size: Voxel, feather: float) -> Floats:
    """1 inside a block, falling towards 0 over its outermost `feather` voxels, (x, y, z)."""
    share = np.ones((), dtype=np.float32)
    for axis, n in enumerate(size):
        line = np.minimum(np.arange(n), np.arange(n)[::-1]).astype(np.float32) + np.float32(0.5)
        ramp = smooth_step(line / np.float32(max(feather, 0.5)))
        share = share * ramp.reshape([-1 if other == axis else 1 for other in range(3)])
    return share
