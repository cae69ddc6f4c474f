"""A destruction: single voxels that are black or white, as after bit errors."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from datasets.anomalies.scene import EVERYWHERE, Category, Difficulty, Floats, Group, Scene, graded
from datasets.populations.subject import Subject


@dataclass(frozen=True)
class SaltAndPepper:
    """The share `amount` of all voxels is 0 or `white`, half of them each; `pattern` decides which."""

    name: ClassVar[str] = "salt-and-pepper"
    category: ClassVar[Category] = "global"
    group: ClassVar[Group] = "destructions"
    populations: ClassVar[tuple[str, ...]] = EVERYWHERE
    needs_donor: ClassVar[bool] = False
    amount: float
    white: float
    pattern: int

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """About 4, 0.8 or 0.15 % of the voxels."""
        amount = float(rng.uniform(*graded(difficulty, (0.03, 0.05), (0.006, 0.010), (0.001, 0.002))))
        return cls(amount, float(scene.subject.image.max()), int(rng.integers(2**32)))

    def apply(self, scene: Scene) -> Floats:
        return peppered(scene.subject, self)


def peppered(subject: Subject, spoiled: SaltAndPepper) -> Floats:
    """The subject's image with those voxels, plane by plane; a stripped one stays 0 outside the brain."""
    result = subject.image.copy()
    rng = np.random.default_rng(spoiled.pattern)
    for plane, inside in zip(result, subject.foreground, strict=True):
        chance = rng.random(plane.shape, dtype=np.float32)
        where = inside if subject.stripped else np.True_
        np.copyto(plane, 0, where=where & (chance < spoiled.amount / 2))
        np.copyto(plane, np.float32(spoiled.white), where=where & (chance > 1 - spoiled.amount / 2))
    return result
