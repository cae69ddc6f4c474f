"""A destruction: slices that hold one grey value from edge to edge."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from datasets.anomalies.destructions.shown import shown
from datasets.anomalies.scene import EVERYWHERE, Category, Difficulty, Floats, Group, Scene, graded
from datasets.populations.subject import Subject


@dataclass(frozen=True)
class ConstantSlices:
    """The `slices` across image axis `axis` hold nothing but `intensity`, in the image's units; only a share
    `kept` of each, at one side, is spared."""

    name: ClassVar[str] = "constant-slices"
    category: ClassVar[Category] = "global"
    group: ClassVar[Group] = "destructions"
    populations: ClassVar[tuple[str, ...]] = EVERYWHERE
    needs_donor: ClassVar[bool] = False
    axis: int
    slices: tuple[int, ...]
    intensity: float
    kept: float

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """One slice in about 7, 14 or 30 of those that show anatomy, in grey values that anatomy has."""
        axis = int(rng.integers(3))
        slices = shown(scene.subject, axis)
        step = int(rng.integers(*graded(difficulty, (6, 9), (12, 17), (26, 36))))
        first = slices.size // 5 + int(rng.integers(step))
        chosen = slices[min(first, slices.size // 2) : slices.size - slices.size // 6 : step]
        return cls(
            axis=axis,
            slices=tuple(int(index) for index in chosen),
            intensity=float(rng.uniform(0.15, 0.95)),
            kept=float(rng.uniform(0, 0.4)),
        )

    def apply(self, scene: Scene) -> Floats:
        return overwritten(scene.subject, self)


def overwritten(subject: Subject, constant: ConstantSlices) -> Floats:
    """The subject's image with those slices filled; a stripped one stays 0 outside the brain."""
    result = subject.image.copy()
    after = np.moveaxis(result, constant.axis, 0)
    inside = np.moveaxis(subject.foreground, constant.axis, 0)
    for index in constant.slices:
        filled = after[index, round(constant.kept * after.shape[1]) :]
        where = inside[index, round(constant.kept * after.shape[1]) :] if subject.stripped else np.True_
        np.copyto(filled, np.float32(constant.intensity), where=where)
    return result
