"""A mild corruption: the whole scan bent a little more than people differ."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from datasets.anomalies.scene import EVERYWHERE, Category, Difficulty, Floats, Group, Scene, graded
from datasets.anomalies.warps import Shape, Vectors, warped_scan
from datasets.anomalies.waves import Waves, draw_waves, planes

NODES = 25
WAVES = 5
CYCLES = (0.9, 2.0)


@dataclass(frozen=True)
class SmoothWarp:
    """Every voxel's value comes from elsewhere: a smooth displacement, in root mean square `amount` of the
    shortest side. `across`, `along` and `up` are its waves in the three directions."""

    name: ClassVar[str] = "smooth-warp"
    category: ClassVar[Category] = "global"
    group: ClassVar[Group] = "corruptions"
    populations: ClassVar[tuple[str, ...]] = EVERYWHERE
    needs_donor: ClassVar[bool] = False
    amount: float
    across: Waves
    along: Waves
    up: Waves

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """About 2.8, 1.9 or 1.1 % of the shortest side, over one to two cycles."""
        amount = graded(difficulty, (0.025, 0.031), (0.016, 0.022), (0.009, 0.013))
        across, along, up = (draw_waves(rng, WAVES, CYCLES) for _ in range(3))
        return cls(float(rng.uniform(*amount)), across, along, up)

    def apply(self, scene: Scene) -> Floats:
        return warped_scan(scene.subject, bending(self, scene.subject.image.shape))


def bending(warp: SmoothWarp, shape: Shape) -> Vectors:
    """The displacement at a lattice's nodes, in voxels, (3, a, b, c)."""
    scale = warp.amount * min(shape) / 3**0.5
    waves = (warp.across, warp.along, warp.up)
    return scale * np.stack([list(planes(part, (NODES,) * 3)) for part in waves]).astype(np.float64)
