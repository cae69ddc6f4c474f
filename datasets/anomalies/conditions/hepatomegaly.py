"""A medical condition: an enlarged liver."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from datasets.anomalies.conditions.redrawn import redrawn
from datasets.anomalies.scene import Category, Difficulty, Floats, Group, Scene, graded


@dataclass(frozen=True)
class Hepatomegaly:
    """The liver has `volume` times its volume."""

    name: ClassVar[str] = "hepatomegaly"
    category: ClassVar[Category] = "global"
    group: ClassVar[Group] = "conditions"
    populations: ClassVar[tuple[str, ...]] = ("abdomen",)
    needs_donor: ClassVar[bool] = False
    volume: float

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """About 2.4, 1.5 or 1.16 times."""
        return cls(float(rng.uniform(*graded(difficulty, (2.1, 2.8), (1.4, 1.6), (1.12, 1.2)))))

    def apply(self, scene: Scene) -> Floats:
        return redrawn(scene, {"liver": self.volume})
