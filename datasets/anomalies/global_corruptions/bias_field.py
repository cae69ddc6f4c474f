"""A mild corruption: brightness drifts through the scan, as under a bad coil or beside dense metal."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from datasets.anomalies.scene import EVERYWHERE, Category, Difficulty, Floats, Group, Scene, graded
from datasets.anomalies.waves import Waves, draw_waves, planes

WAVES = 4
CYCLES = (0.5, 1.1)


@dataclass(frozen=True)
class BiasField:
    """Grey values times a smooth field: the exponential of `waves` with deviation `amount`."""

    name: ClassVar[str] = "bias-field"
    category: ClassVar[Category] = "global"
    group: ClassVar[Group] = "corruptions"
    populations: ClassVar[tuple[str, ...]] = EVERYWHERE
    needs_donor: ClassVar[bool] = False
    amount: float
    waves: Waves

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """A deviation of about 19, 10 or 6 % of the grey value, over half to one cycle."""
        amount = graded(difficulty, (0.17, 0.21), (0.085, 0.115), (0.05, 0.07))
        return cls(float(rng.uniform(*amount)), draw_waves(rng, WAVES, CYCLES))

    def apply(self, scene: Scene) -> Floats:
        return biased(scene.subject.image, self)


def biased(image: Floats, bias: BiasField) -> Floats:
    """`image` times the field, plane by plane."""
    result = np.empty_like(image)
    for before, after, field in zip(image, result, planes(bias.waves, image.shape), strict=True):
        np.multiply(before, np.exp(np.float32(bias.amount) * field), out=after)
    return result
