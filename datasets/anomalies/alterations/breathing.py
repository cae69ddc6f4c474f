"""An alteration: somebody breathed while the slices were read one after the other."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from datasets.anomalies.scene import Category, Difficulty, Floats, Group, Scene, graded
from datasets.anomalies.warps import Shape, Vectors, warped_scan

NODES = (2, 9)


@dataclass(frozen=True)
class Breathing:
    """In `breaths` breaths from first to last slice the belly rises off the table by up to `rise` and
    organs move along the body by up to `slide`; both as shares of the sides, less towards the table."""

    name: ClassVar[str] = "breathing"
    category: ClassVar[Category] = "global"
    group: ClassVar[Group] = "alterations"
    populations: ClassVar[tuple[str, ...]] = ("abdomen",)
    needs_donor: ClassVar[bool] = False
    breaths: float
    rise: float
    slide: float
    phase: float
    prone: bool

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """By about 4.5, 2.5 or 1.2 % of the sides in 7 to 13 breaths."""
        share = graded(difficulty, (0.038, 0.052), (0.022, 0.029), (0.010, 0.015))
        rise, slide = (float(part) for part in rng.uniform(*share, 2))
        return cls(
            breaths=float(rng.uniform(7, 13)),
            rise=rise,
            slide=0.4 * slide,
            phase=float(rng.uniform(0, 2 * np.pi)),
            prone=scene.subject.properties.get("position") == "prone",
        )

    def apply(self, scene: Scene) -> Floats:
        return warped_scan(scene.subject, breathed(self, scene.subject.image.shape))


def breathed(breathing: Breathing, shape: Shape) -> Vectors:
    """The displacement at a lattice's nodes, in voxels, (3, a, b, c); one node for each slice."""
    free = np.linspace(0, 1, NODES[1])[None, :, None]
    free = (free[:, ::-1] if breathing.prone else free) ** 1.5
    turns = breathing.breaths * (np.arange(shape[2]) + 0.5) / shape[2]
    level = free * (0.5 - 0.5 * np.cos(2 * np.pi * turns + breathing.phase))
    away = np.zeros((3, *NODES, shape[2]))
    away[1] = (1 if breathing.prone else -1) * breathing.rise * shape[1] * level
    away[2] = breathing.slide * shape[2] * level
    return away
