"""An alteration: the window of another organ, so that much is cut off to black or white."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from datasets.anomalies.alterations.tones import quantiles
from datasets.anomalies.scene import EVERYWHERE, Category, Difficulty, Floats, Group, Scene, graded


@dataclass(frozen=True)
class WrongWindow:
    """Grey values from `low` to `high`, in the image's units, become 0 to 1; what is beyond is cut off."""

    name: ClassVar[str] = "wrong-window"
    category: ClassVar[Category] = "global"
    group: ClassVar[Group] = "alterations"
    populations: ClassVar[tuple[str, ...]] = EVERYWHERE
    needs_donor: ClassVar[bool] = False
    low: float
    high: float

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """Cuts off about 50 % of the anatomy, at both ends in any shares; or three quarters of the way from 0
        and 1 to cutting off 22 %; or a third of the way to 7 %."""
        cut = float(rng.uniform(*graded(difficulty, (0.40, 0.60), (0.17, 0.27), (0.05, 0.09))))
        below = cut * float(rng.uniform(0, 1))
        low, high = quantiles(scene.subject, below, 1 - (cut - below))
        way = graded(difficulty, 1.0, 0.75, 0.3)
        return cls(way * low, max(1 - way * (1 - high), way * low + 0.05))

    def apply(self, scene: Scene) -> Floats:
        return windowed(scene.subject.image, self)


def windowed(image: Floats, window: WrongWindow) -> Floats:
    """`image` in that window."""
    result = image - np.float32(window.low)
    result /= np.float32(window.high - window.low)
    return np.clip(result, 0, 1, out=result)
