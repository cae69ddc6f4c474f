"""A mild corruption: the middle of the scan turned about an axis, less and less outwards."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from datasets.anomalies.scene import EVERYWHERE, Category, Difficulty, Floats, Group, Scene, graded
from datasets.anomalies.warps import Shape, Vectors, nodes, warped_scan

NODES = 41


@dataclass(frozen=True)
class Swirl:
    """The middle of the volume is turned by `angle` radians about image axis `axis`; nothing moves from
    `reach` of the shortest side on."""

    name: ClassVar[str] = "swirl"
    category: ClassVar[Category] = "global"
    group: ClassVar[Group] = "corruptions"
    populations: ClassVar[tuple[str, ...]] = EVERYWHERE
    needs_donor: ClassVar[bool] = False
    axis: int
    angle: float
    reach: float

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """By about 32, 20 or 12 degrees, out to 38 to 46 % of the shortest side."""
        degrees = graded(difficulty, (27.0, 37.0), (17.0, 23.0), (10.0, 14.0))
        angle = float(np.radians(rng.uniform(*degrees)))
        reach = float(rng.uniform(0.38, 0.46))
        return cls(int(rng.integers(3)), angle if rng.random() < 0.5 else -angle, reach)

    def apply(self, scene: Scene) -> Floats:
        return warped_scan(scene.subject, swirling(self, scene.subject.image.shape))


def swirling(swirl: Swirl, shape: Shape) -> Vectors:
    """The displacement at a lattice's nodes, in voxels, (3, a, b, c); distances from the middle stay."""
    places = nodes(shape, (NODES,) * 3)
    depth = np.linalg.norm(places, axis=0) / (swirl.reach * min(shape))
    angle = swirl.angle * np.clip(1 - depth**2, 0, 1) ** 2
    first, second = (swirl.axis + 1) % 3, (swirl.axis + 2) % 3
    away = np.zeros_like(places)
    away[first] = (np.cos(angle) - 1) * places[first] - np.sin(angle) * places[second]
    away[second] = np.sin(angle) * places[first] + (np.cos(angle) - 1) * places[second]
    return away
