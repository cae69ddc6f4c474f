"""A corruption: a ball of anatomy turned about an axis, most in its middle and not at all at its surface."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from datasets.anomalies.regions import draw_radii, lively, moved, smooth_step
from datasets.anomalies.scene import (
    EVERYWHERE,
    Category,
    Difficulty,
    Floats,
    Group,
    Scene,
    Voxel,
    graded,
)


@dataclass(frozen=True)
class LocalTwist:
    """`radius` in voxels; `angle` in radians, of the middle, about image axis `axis`; `core` is the share of
    the radius that turns as a whole."""

    name: ClassVar[str] = "local-twist"
    category: ClassVar[Category] = "local"
    group: ClassVar[Group] = "corruptions"
    populations: ClassVar[tuple[str, ...]] = EVERYWHERE
    needs_donor: ClassVar[bool] = False
    centre: Voxel
    radius: float
    axis: int
    angle: float
    core: float

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """Radii of about 17, 14 or 11 % of the shortest side; turned by about 120, 55 or 25 degrees."""
        shape = scene.subject.image.shape
        share = graded(difficulty, (0.15, 0.19), (0.12, 0.16), (0.09, 0.13))
        degrees = graded(difficulty, (80.0, 160.0), (40.0, 70.0), (18.0, 32.0))
        radius = draw_radii(rng, shape, share)[0]
        turn = float(np.radians(rng.uniform(*degrees)))
        return cls(
            centre=lively(rng, scene, round(radius)),
            radius=radius,
            axis=int(rng.integers(3)),
            angle=turn if rng.random() < 0.5 else -turn,
            core=float(rng.uniform(0.3, 0.5)),
        )

    def apply(self, scene: Scene) -> Floats:
        return twisted(scene.subject.image, self)


def twisted(image: Floats, twist: LocalTwist) -> Floats:
    """`image` with the ball turned; distances from the centre stay what they are."""
    first, second = (twist.axis + 1) % 3, (twist.axis + 2) % 3

    def turned(away: Floats, depth: Floats) -> Floats:
        angle = twist.angle * smooth_step((1 - depth) / np.float32(1 - twist.core))
        sources = away.copy()
        sources[first] = np.cos(angle) * away[first] - np.sin(angle) * away[second]
        sources[second] = np.sin(angle) * away[first] + np.cos(angle) * away[second]
        return sources

    return moved(image, twist.centre, (twist.radius,) * 3, turned)
