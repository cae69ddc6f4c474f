"""A mild corruption: planes slide over one another, as under a tilted gantry that nobody corrected for."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from datasets.anomalies.scene import EVERYWHERE, Category, Difficulty, Floats, Group, Scene, graded
from datasets.anomalies.warps import Shape, Vectors, linear, warped_scan


@dataclass(frozen=True)
class Shear:
    """Planes across image axis `across` are moved along axis `along`, by `slope` times their distance from
    the middle of the volume."""

    name: ClassVar[str] = "shear"
    category: ClassVar[Category] = "global"
    group: ClassVar[Group] = "corruptions"
    populations: ClassVar[tuple[str, ...]] = EVERYWHERE
    needs_donor: ClassVar[bool] = False
    along: int
    across: int
    slope: float

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """Tilted by about 13, 9 or 5 degrees."""
        degrees = graded(difficulty, (11.5, 14.5), (7.5, 10.5), (4.0, 6.0))
        slope = float(np.tan(np.radians(rng.uniform(*degrees))))
        along, across = (int(axis) for axis in rng.permutation(3)[:2])
        return cls(along, across, slope if rng.random() < 0.5 else -slope)

    def apply(self, scene: Scene) -> Floats:
        return warped_scan(scene.subject, sliding(self, scene.subject.image.shape))


def sliding(shear: Shear, shape: Shape) -> Vectors:
    """The displacement at a lattice's nodes, in voxels, (3, a, b, c)."""
    matrix = np.eye(3)
    matrix[shear.along, shear.across] = -shear.slope
    return linear(shape, matrix)
