"""A mild corruption: contrast that drifts from one end of the scan to the other."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from datasets.anomalies.scene import EVERYWHERE, Category, Difficulty, Floats, Group, Scene, graded


@dataclass(frozen=True)
class ContrastDrift:
    """Grey values, as a share of what lies between `dark` and 1, to the power of exp(`amount` times t), where
    t goes from -1 to 1 along image axis `axis`."""

    name: ClassVar[str] = "contrast-drift"
    category: ClassVar[Category] = "global"
    group: ClassVar[Group] = "corruptions"
    populations: ClassVar[tuple[str, ...]] = EVERYWHERE
    needs_donor: ClassVar[bool] = False
    axis: int
    amount: float
    dark: float

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """Exponents from about 0.58 to 1.7, 0.73 to 1.35 or 0.83 to 1.2."""
        amount = float(rng.uniform(*graded(difficulty, (0.50, 0.60), (0.26, 0.34), (0.15, 0.21))))
        dark = float(scene.subject.image.min())
        return cls(int(rng.integers(3)), amount if rng.random() < 0.5 else -amount, dark)

    def apply(self, scene: Scene) -> Floats:
        return drifted(scene.subject.image, self)


def drifted(image: Floats, drift: ContrastDrift) -> Floats:
    """`image` with another exponent in each plane across the axis; no value may be below `dark`."""
    result = np.empty_like(image)
    before, after = np.moveaxis(image, drift.axis, 0), np.moveaxis(result, drift.axis, 0)
    dark = np.float32(drift.dark)
    exponents = np.exp(drift.amount * np.linspace(-1, 1, len(before)))
    for plane, into, exponent in zip(before, after, exponents, strict=True):
        into[...] = ((plane - dark) / (1 - dark)) ** np.float32(exponent) * (1 - dark) + dark
    return result
