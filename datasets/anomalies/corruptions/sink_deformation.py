"""A corruption: anatomy drawn together towards a point (Many-Tasks, Baugh et al., MICCAI 2023)."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from datasets.anomalies.corruptions.radial import pulled
from datasets.anomalies.regions import Triple, draw_radii, lively
from datasets.anomalies.scene import EVERYWHERE, Category, Difficulty, Floats, Group, Scene, Voxel, graded


@dataclass(frozen=True)
class SinkDeformation:
    """`radii` of the ellipsoid in voxels; `power` above 1, where 1 changes nothing."""

    name: ClassVar[str] = "sink-deformation"
    category: ClassVar[Category] = "local"
    group: ClassVar[Group] = "corruptions"
    populations: ClassVar[tuple[str, ...]] = EVERYWHERE
    needs_donor: ClassVar[bool] = False
    centre: Voxel
    radii: Triple
    power: float

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """Radii of about 19, 15 or 11 % of the shortest side; powers of about 3, 2 or 1.5."""
        share = graded(difficulty, (0.17, 0.21), (0.13, 0.17), (0.09, 0.13))
        power = graded(difficulty, (2.6, 4.0), (1.8, 2.3), (1.35, 1.6))
        radii = draw_radii(rng, scene.subject.image.shape, share)
        return cls(lively(rng, scene, round(max(radii))), radii, float(rng.uniform(*power)))

    def apply(self, scene: Scene) -> Floats:
        image = scene.subject.image
        return pulled(image, self.centre, self.radii, lambda depth: sink(depth, self.power))


def sink(depth: Floats, power: float) -> Floats:
    """From which depth, between 0 and 1, the value at `depth` comes: never from outside of the ellipsoid."""
    found: Floats = 1 - (1 - depth) ** power
    return found
