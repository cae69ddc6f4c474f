"""A destruction: a stack of slices stands where the next one belongs."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from datasets.anomalies.destructions.shown import shown
from datasets.anomalies.scene import EVERYWHERE, Category, Difficulty, Floats, Group, Scene, graded


@dataclass(frozen=True)
class RepeatedSlab:
    """Across image axis `axis`, the `thickness` slices from `start` on are those before it once more."""

    name: ClassVar[str] = "repeated-slab"
    category: ClassVar[Category] = "global"
    group: ClassVar[Group] = "destructions"
    populations: ClassVar[tuple[str, ...]] = EVERYWHERE
    needs_donor: ClassVar[bool] = False
    axis: int
    start: int
    thickness: int

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """About 18, 10 or 5 % of the slices that show anatomy."""
        axis = int(rng.integers(3))
        slices = shown(scene.subject, axis)
        share = float(rng.uniform(*graded(difficulty, (0.15, 0.21), (0.08, 0.12), (0.04, 0.06))))
        thickness = max(round(share * slices.size), 2)
        start = int(
            rng.integers(slices.size // 6 + thickness, max(slices.size - slices.size // 6 - thickness, 1))
        )
        return cls(axis, int(slices[start]), thickness)

    def apply(self, scene: Scene) -> Floats:
        return repeated(scene.subject.image, self)


def repeated(image: Floats, slab: RepeatedSlab) -> Floats:
    """`image` with the slab twice."""
    result = image.copy()
    before, after = np.moveaxis(image, slab.axis, 0), np.moveaxis(result, slab.axis, 0)
    into = after[slab.start : slab.start + slab.thickness]
    into[...] = before[slab.start - slab.thickness :][: len(into)]
    return result
