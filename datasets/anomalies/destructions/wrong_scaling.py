"""A destruction: a header with a wrong slope, so that few integers are left and large ones overflow."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from datasets.anomalies.alterations.tones import quantiles
from datasets.anomalies.scene import EVERYWHERE, Category, Difficulty, Floats, Group, Scene, graded


@dataclass(frozen=True)
class WrongScaling:
    """Grey values are rounded down to multiples of `step`; from `limit` on they start again at 0, like
    integers that have run over. Both in the image's units."""

    name: ClassVar[str] = "wrong-scaling"
    category: ClassVar[Category] = "global"
    group: ClassVar[Group] = "destructions"
    populations: ClassVar[tuple[str, ...]] = EVERYWHERE
    needs_donor: ClassVar[bool] = False
    step: float
    limit: float

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """Steps of about 0.13, 0.09 or 0.06, running over in about 12, 2 or 0 % of the anatomy."""
        step = float(rng.uniform(*graded(difficulty, (0.11, 0.15), (0.08, 0.10), (0.05, 0.07))))
        share = float(rng.uniform(*graded(difficulty, (0.06, 0.18), (0.01, 0.03), (0.0, 0.0))))
        if not share:
            return cls(step, step * (1 + int(float(scene.subject.image.max()) / step)))
        limit = quantiles(scene.subject, 1 - share)[0]
        return cls(limit / max(round(limit / step), 1), limit)

    def apply(self, scene: Scene) -> Floats:
        return rescaled(scene.subject.image, self)


def rescaled(image: Floats, scaling: WrongScaling) -> Floats:
    """`image` as that header tells it."""
    steps = max(round(scaling.limit / scaling.step), 1)
    result = image / np.float32(scaling.step)
    np.floor(result, out=result)
    np.remainder(result, np.float32(steps), out=result)
    result *= np.float32(scaling.step)
    return result
