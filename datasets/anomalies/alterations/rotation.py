"""An alteration: the scan turned as nobody lies in a scanner."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from datasets.anomalies.scene import EVERYWHERE, Category, Difficulty, Floats, Group, Scene, graded
from datasets.anomalies.warps import Shape, Vectors, linear, warped_scan


@dataclass(frozen=True)
class Rotation:
    """Turned by `angle` radians about image axis `axis`; what comes in at the corners is dark."""

    name: ClassVar[str] = "rotation"
    category: ClassVar[Category] = "global"
    group: ClassVar[Group] = "alterations"
    populations: ClassVar[tuple[str, ...]] = EVERYWHERE
    needs_donor: ClassVar[bool] = False
    axis: int
    angle: float

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """By about 60, 25 or 13 degrees; people lie straight to about 4."""
        degrees = graded(difficulty, (40.0, 90.0), (20.0, 30.0), (11.0, 15.0))
        angle = float(np.radians(rng.uniform(*degrees)))
        return cls(int(rng.integers(3)), angle if rng.random() < 0.5 else -angle)

    def apply(self, scene: Scene) -> Floats:
        return warped_scan(
            scene.subject, turning(self, scene.subject.image.shape), float(scene.subject.image.min())
        )


def turning(rotation: Rotation, shape: Shape) -> Vectors:
    """The displacement at a lattice's nodes, in voxels, (3, a, b, c)."""
    first, second = (rotation.axis + 1) % 3, (rotation.axis + 2) % 3
    matrix = np.eye(3)
    matrix[first, first] = matrix[second, second] = np.cos(rotation.angle)
    matrix[first, second] = np.sin(rotation.angle)
    matrix[second, first] = -np.sin(rotation.angle)
    return linear(shape, matrix)
