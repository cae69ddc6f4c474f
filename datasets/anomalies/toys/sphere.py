"""A ball of one grey value with a soft edge: the organisers' toy anomaly (Zimmerer, thesis, section 4.1)."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

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
class Sphere:
    """`centre` and `radius` in voxels, `intensity` in the image's units."""

    name: ClassVar[str] = "sphere"
    category: ClassVar[Category] = "local"
    group: ClassVar[Group] = "toys"
    populations: ClassVar[tuple[str, ...]] = EVERYWHERE
    needs_donor: ClassVar[bool] = False
    centre: Voxel
    radius: float
    intensity: float

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """A radius of about 13, 10 or 7 % of the shortest side and any intensity that does not saturate."""
        share = graded(difficulty, (0.11, 0.15), (0.08, 0.11), (0.05, 0.08))
        radius = max(float(rng.uniform(*share)) * min(scene.subject.image.shape), 1.5)
        centre = place(rng, scene.subject.foreground, round(radius))
        return cls(centre, radius, float(rng.uniform(0.05, 0.95)))

    def apply(self, scene: Scene) -> Floats:
        return with_sphere(scene.subject.image, self)


def with_sphere(image: Floats, sphere: Sphere) -> Floats:
    """`image` with the ball painted over; voxels on its surface are mixed."""
    result = image.copy()
    box = box_around(sphere.centre, int(sphere.radius) + 2, image.shape)
    distance = np.sqrt((offsets(box, sphere.centre) ** 2).sum(axis=0))
    share = np.clip(sphere.radius + 0.5 - distance, 0, 1)
    result[box] += share * (np.float32(sphere.intensity) - result[box])
    return result


def ball_mask(shape: tuple[int, ...], sphere: Sphere) -> NDArray[np.bool_]:
    """The voxels of which the ball fills at least half, bool (x, y, z)."""
    mask = np.zeros(shape, dtype=np.bool_)
    box = box_around(sphere.centre, int(sphere.radius) + 2, shape)
    mask[box] = np.sqrt((offsets(box, sphere.centre) ** 2).sum(axis=0)) <= sphere.radius
    return mask
