"""A medical condition: tissue lost all over the brain, wide sulci and ventricles."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from datasets.anomalies.conditions.redrawn import redrawn
from datasets.anomalies.scene import Category, Difficulty, Floats, Group, Scene, graded


@dataclass(frozen=True)
class Atrophy:
    """`severity` on top of what age does: 0 nothing, 1 severe."""

    name: ClassVar[str] = "atrophy"
    category: ClassVar[Category] = "global"
    group: ClassVar[Group] = "conditions"
    populations: ClassVar[tuple[str, ...]] = ("brain",)
    needs_donor: ClassVar[bool] = False
    severity: float

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """About 1.2, 0.7 or 0.35; ageing alone reaches 0.8."""
        return cls(float(rng.uniform(*graded(difficulty, (1.0, 1.4), (0.6, 0.8), (0.28, 0.42)))))

    def apply(self, scene: Scene) -> Floats:
        return redrawn(scene, {"atrophy": self.severity})
