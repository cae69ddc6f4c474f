"""A mild corruption: the scan is stretched or squeezed along one axis, as by a wrong voxel size."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from datasets.anomalies.scene import EVERYWHERE, Category, Difficulty, Floats, Group, Scene, graded
from datasets.anomalies.warps import Shape, Vectors, linear, warped_scan


@dataclass(frozen=True)
class AxisScaling:
    """Sizes along image axis `axis` are `scale` times what they were; the middle of the volume stays."""

    name: ClassVar[str] = "axis-scaling"
    category: ClassVar[Category] = "global"
    group: ClassVar[Group] = "corruptions"
    populations: ClassVar[tuple[str, ...]] = EVERYWHERE
    needs_donor: ClassVar[bool] = False
    axis: int
    scale: float

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """Squeezed, or half as often stretched, by about 15, 10 or 6 %."""
        share = float(rng.uniform(*graded(difficulty, (0.13, 0.17), (0.085, 0.115), (0.05, 0.07))))
        return cls(int(rng.integers(3)), 1 + share if rng.random() < 1 / 3 else 1 - share)

    def apply(self, scene: Scene) -> Floats:
        return warped_scan(scene.subject, stretching(self, scene.subject.image.shape))


def stretching(scaling: AxisScaling, shape: Shape) -> Vectors:
    """The displacement at a lattice's nodes, in voxels, (3, a, b, c)."""
    sizes = np.ones(3)
    sizes[scaling.axis] = 1 / scaling.scale
    return linear(shape, np.diag(sizes))
