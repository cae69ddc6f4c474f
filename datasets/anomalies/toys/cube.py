"""A cube of one grey value with a soft edge: the other shape of toy-like sets (Zimmerer, thesis, 4.1.5)."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from datasets.anomalies.scene import (
    EVERYWHERE,
    Category,
    Difficulty,
    Floats,
    Group,
    Scene,
    Voxel,
    box_around,
    graded,
    offsets,
    place,
)


@dataclass(frozen=True)
class Cube:
    """`centre` and `radius` (half a side) in voxels, `intensity` in the image's units."""

    name: ClassVar[str] = "cube"
    category: ClassVar[Category] = "local"
    group: ClassVar[Group] = "toys"
    populations: ClassVar[tuple[str, ...]] = EVERYWHERE
    needs_donor: ClassVar[bool] = False
    centre: Voxel
    radius: float
    intensity: float

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """Half a side of about 10, 8 or 6 % of the volume's, any intensity that does not saturate."""
        share = graded(difficulty, (0.09, 0.12), (0.07, 0.09), (0.04, 0.07))
        radius = max(float(rng.uniform(*share)) * min(scene.subject.image.shape), 1.5)
        centre = place(rng, scene.subject.foreground, round(radius))
        return cls(centre, radius, float(rng.uniform(0.05, 0.95)))

    def apply(self, scene: Scene) -> Floats:
        return with_cube(scene.subject.image, self)


def with_cube(image: Floats, cube: Cube) -> Floats:
    """`image` with the cube painted over; voxels on its surface are mixed."""
    result = image.copy()
    box = box_around(cube.centre, int(cube.radius) + 2, image.shape)
    distance = np.abs(offsets(box, cube.centre)).max(axis=0)
    share = np.clip(cube.radius + 0.5 - distance, 0, 1)
    result[box] += share * (np.float32(cube.intensity) - result[box])
    return result
