"""Moving the inside of an ellipsoid along rays from its centre (Many-Tasks, Baugh et al., MICCAI 2023)."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from datasets.anomalies.regions import Triple, draw_radii, lively, moved
from datasets.anomalies.scene import EVERYWHERE, Category, Difficulty, Floats, Group, Scene, Voxel, graded

LEAST = 1e-6


@dataclass(frozen=True)
class Radial(ABC):
    """`radii` of the ellipsoid in voxels; `power` above 1, where 1 changes nothing."""

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

    @abstractmethod
    def come_from(self, depth: Floats) -> Floats:
        """From which depth, between 0 and 1, the value at `depth` comes: never from outside."""

    def apply(self, scene: Scene) -> Floats:
        return pulled(scene.subject.image, self.centre, self.radii, self.come_from)


def pulled(image: Floats, centre: Voxel, radii: Triple, come_from: Callable[[Floats], Floats]) -> Floats:
    """`image` with the value of depth `come_from(depth)` at `depth`: 0 in the centre, 1 on the surface."""

    def along_ray(away: Floats, depth: Floats) -> Floats:
        scale = come_from(depth) / np.maximum(depth, np.float32(LEAST))
        return (away * scale).astype(np.float32)

    return moved(image, centre, radii, along_ray)
