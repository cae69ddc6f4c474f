"""A medical condition: an enlarged spleen."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from datasets.anomalies.conditions.redrawn import redrawn
from datasets.anomalies.scene import Category, Difficulty, Floats, Group, Scene, graded


@dataclass(frozen=True)
class Splenomegaly:
    """The spleen has `volume` times its volume."""

    name: ClassVar[str] = "splenomegaly"
    category: ClassVar[Category] = "global"
    group: ClassVar[Group] = "conditions"
    populations: ClassVar[tuple[str, ...]] = ("abdomen",)
    needs_donor: ClassVar[bool] = False
    volume: float

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """About 6.5, 3 or 1.6 times."""
        return cls(float(rng.uniform(*graded(difficulty, (5.5, 8.0), (2.6, 3.4), (1.5, 1.8)))))

    def apply(self, scene: Scene) -> Floats:
        return redrawn(scene, {"spleen": self.volume})
