"""A medical condition: one half of the brain larger than the other (hemimegalencephaly)."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from datasets.anomalies.conditions.redrawn import redrawn
from datasets.anomalies.scene import Category, Difficulty, Floats, Group, Scene, graded


@dataclass(frozen=True)
class HemisphericAsymmetry:
    """The right half is bigger by `share` across, and by 0.6 times that otherwise; negative: the left."""

    name: ClassVar[str] = "hemispheric-asymmetry"
    category: ClassVar[Category] = "global"
    group: ClassVar[Group] = "conditions"
    populations: ClassVar[tuple[str, ...]] = ("brain",)
    needs_donor: ClassVar[bool] = False
    share: float

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """About 20, 11 or 5 %."""
        share = float(rng.uniform(*graded(difficulty, (0.17, 0.22), (0.09, 0.13), (0.04, 0.06))))
        return cls(share if rng.random() < 0.5 else -share)

    def apply(self, scene: Scene) -> Floats:
        return redrawn(scene, {"asymmetry": self.share})
