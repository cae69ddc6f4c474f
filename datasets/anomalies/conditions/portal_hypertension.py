"""A medical condition: cirrhosis with a small liver, a large spleen and free fluid."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from datasets.anomalies.conditions.redrawn import redrawn
from datasets.anomalies.scene import Category, Difficulty, Floats, Group, Scene, graded


@dataclass(frozen=True)
class PortalHypertension:
    """Volumes of `liver` and `spleen` as multiples of what they were; `ascites`: 0 none, 1 tense."""

    name: ClassVar[str] = "portal-hypertension"
    category: ClassVar[Category] = "global"
    group: ClassVar[Group] = "conditions"
    populations: ClassVar[tuple[str, ...]] = ("abdomen",)
    needs_donor: ClassVar[bool] = False
    liver: float
    spleen: float
    ascites: float

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """From end stage to hardly decompensated."""
        return cls(
            liver=float(rng.uniform(*graded(difficulty, (0.50, 0.60), (0.65, 0.75), (0.80, 0.90)))),
            spleen=float(rng.uniform(*graded(difficulty, (2.8, 3.6), (1.8, 2.4), (1.3, 1.5)))),
            ascites=float(rng.uniform(*graded(difficulty, (0.5, 0.8), (0.2, 0.4), (0.05, 0.12)))),
        )

    def apply(self, scene: Scene) -> Floats:
        return redrawn(scene, {"liver": self.liver, "spleen": self.spleen, "ascites": self.ascites})
