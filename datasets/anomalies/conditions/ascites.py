"""A medical condition: free fluid in the belly."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from datasets.anomalies.conditions.redrawn import redrawn
from datasets.anomalies.scene import Category, Difficulty, Floats, Group, Scene, graded


@dataclass(frozen=True)
class Ascites:
    """`amount`: 0 none, 1 tense."""

    name: ClassVar[str] = "ascites"
    category: ClassVar[Category] = "global"
    group: ClassVar[Group] = "conditions"
    populations: ClassVar[tuple[str, ...]] = ("abdomen",)
    needs_donor: ClassVar[bool] = False
    amount: float

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """About 1, 0.5 or 0.2."""
        return cls(float(rng.uniform(*graded(difficulty, (0.9, 1.15), (0.4, 0.6), (0.12, 0.25)))))

    def apply(self, scene: Scene) -> Floats:
        return redrawn(scene, {"ascites": self.amount})
