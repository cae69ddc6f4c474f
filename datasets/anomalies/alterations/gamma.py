"""An alteration: grey values bent to the bright or the dark."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from datasets.anomalies.scene import EVERYWHERE, Category, Difficulty, Floats, Group, Scene, graded


@dataclass(frozen=True)
class Gamma:
    """Grey values to the power of `exponent`: 0 and 1 stay what they are."""

    name: ClassVar[str] = "gamma"
    category: ClassVar[Category] = "global"
    group: ClassVar[Group] = "alterations"
    populations: ClassVar[tuple[str, ...]] = EVERYWHERE
    needs_donor: ClassVar[bool] = False
    exponent: float

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """About 2.3, 1.55 or 1.25, or one by that."""
        exponent = float(rng.uniform(*graded(difficulty, (2.0, 2.6), (1.45, 1.65), (1.2, 1.3))))
        return cls(exponent if rng.random() < 0.5 else 1 / exponent)

    def apply(self, scene: Scene) -> Floats:
        return bent(scene.subject.image, self)


def bent(image: Floats, gamma: Gamma) -> Floats:
    """`image` to that power; what is below 0 becomes 0."""
    result = np.maximum(image, 0)
    np.power(result, np.float32(gamma.exponent), out=result)
    return result
