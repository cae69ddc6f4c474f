"""A medical condition: renal failure, so shrunken kidneys on both sides and free fluid."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from datasets.anomalies.conditions.redrawn import redrawn
from datasets.anomalies.scene import Category, Difficulty, Floats, Group, Scene, graded


@dataclass(frozen=True)
class RenalFailure:
    """The kidneys have `kidneys` times their volume; `ascites`: 0 none, 1 tense."""

    name: ClassVar[str] = "renal-failure"
    category: ClassVar[Category] = "global"
    group: ClassVar[Group] = "conditions"
    populations: ClassVar[tuple[str, ...]] = ("abdomen",)
    needs_donor: ClassVar[bool] = False
    kidneys: float
    ascites: float

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """About 0.15, 0.35 or 0.55 times, with much, some or hardly any fluid."""
        return cls(
            kidneys=float(rng.uniform(*graded(difficulty, (0.10, 0.20), (0.30, 0.40), (0.50, 0.60)))),
            ascites=float(rng.uniform(*graded(difficulty, (0.8, 1.0), (0.25, 0.40), (0.05, 0.12)))),
        )

    def apply(self, scene: Scene) -> Floats:
        return redrawn(scene, {"kidneys": self.kidneys, "ascites": self.ascites})
