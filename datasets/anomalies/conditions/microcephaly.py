"""A medical condition: a brain too small for an adult."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from datasets.anomalies.conditions.redrawn import redrawn
from datasets.anomalies.scene import Category, Difficulty, Floats, Group, Scene, graded


@dataclass(frozen=True)
class Microcephaly:
    """Every length of the brain is `scale` times what it was."""

    name: ClassVar[str] = "microcephaly"
    category: ClassVar[Category] = "global"
    group: ClassVar[Group] = "conditions"
    populations: ClassVar[tuple[str, ...]] = ("brain",)
    needs_donor: ClassVar[bool] = False
    scale: float

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """About 0.76, 0.86 or 0.93; people differ by about 0.035."""
        return cls(float(rng.uniform(*graded(difficulty, (0.72, 0.80), (0.84, 0.88), (0.92, 0.94)))))

    def apply(self, scene: Scene) -> Floats:
        return redrawn(scene, {"microcephaly": self.scale})
