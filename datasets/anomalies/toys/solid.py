"""What balls and cubes have in common: one grey value with a soft edge, somewhere in the anatomy."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from datasets.anomalies.scene import (
    EVERYWHERE,
    Box,
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

Shares = tuple[float, float]


@dataclass(frozen=True)
class Solid(ABC):
    """`centre` and `radius` in voxels, `intensity` in the image's units.

    `shares`: of the volume's shortest side, between which the radius of an easy, a medium and a hard one is
    drawn.
    """

    category: ClassVar[Category] = "local"
    group: ClassVar[Group] = "toys"
    populations: ClassVar[tuple[str, ...]] = EVERYWHERE
    needs_donor: ClassVar[bool] = False
    shares: ClassVar[tuple[Shares, Shares, Shares]]
    centre: Voxel
    radius: float
    intensity: float

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """A radius by the difficulty, any intensity that does not saturate."""
        share = graded(difficulty, *cls.shares)
        radius = max(float(rng.uniform(*share)) * min(scene.subject.image.shape), 1.5)
        centre = place(rng, scene.subject.foreground, round(radius))
        return cls(centre, radius, float(rng.uniform(0.05, 0.95)))

    @staticmethod
    @abstractmethod
    def distance(away: Floats) -> Floats:
        """How far voxels `away` (3, x, y, z) from the centre are out, where the surface is at the radius."""

    def apply(self, scene: Scene) -> Floats:
        return self.painted(scene.subject.image)

    def painted(self, image: Floats) -> Floats:
        """`image` (x, y, z) with the solid painted over; voxels on its surface are mixed."""
        result = image.copy()
        box = self._box(image.shape)
        share = np.clip(self.radius + 0.5 - self.distance(offsets(box, self.centre)), 0, 1)
        result[box] += share * (np.float32(self.intensity) - result[box])
        return result

    def mask(self, shape: tuple[int, ...]) -> NDArray[np.bool_]:
        """The voxels that the solid fills by half at least, bool (x, y, z)."""
        mask = np.zeros(shape, dtype=np.bool_)
        box = self._box(shape)
        mask[box] = self.distance(offsets(box, self.centre)) <= self.radius
        return mask

    def _box(self, shape: tuple[int, ...]) -> Box:
        return box_around(self.centre, int(self.radius) + 2, shape)
