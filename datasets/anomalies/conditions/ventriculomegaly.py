"""A medical condition: enlarged ventricles, the brain around them pushed aside."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from datasets.anomalies.conditions.redrawn import redrawn
from datasets.anomalies.scene import Category, Difficulty, Floats, Group, Scene, graded


@dataclass(frozen=True)
class Ventriculomegaly:
    """The walls of the lateral ventricles lie `walls_mm` millimetres further out."""

    name: ClassVar[str] = "ventriculomegaly"
    category: ClassVar[Category] = "global"
    group: ClassVar[Group] = "conditions"
    populations: ClassVar[tuple[str, ...]] = ("brain",)
    needs_donor: ClassVar[bool] = False
    walls_mm: float

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """By about 6.5, 3.5 or 1.7 mm; people differ by about 1 mm."""
        return cls(float(rng.uniform(*graded(difficulty, (5.5, 7.5), (2.9, 4.1), (1.3, 2.1)))))

    def apply(self, scene: Scene) -> Floats:
        return redrawn(scene, {"ventricles_mm": self.walls_mm})
