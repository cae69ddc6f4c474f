"""An alteration: thick slices, brought back to thin ones."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from datasets.anomalies.scene import EVERYWHERE, Category, Difficulty, Floats, Group, Scene, graded


@dataclass(frozen=True)
class ThickSlices:
    """Every `thickness` slices across image axis `axis` are averaged; `smooth` ones are interpolated linearly
    between their middles, others repeated."""

    name: ClassVar[str] = "thick-slices"
    category: ClassVar[Category] = "global"
    group: ClassVar[Group] = "alterations"
    populations: ClassVar[tuple[str, ...]] = EVERYWHERE
    needs_donor: ClassVar[bool] = False
    axis: int
    thickness: int
    smooth: bool

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """Slices of about 8, 5 or 3 % of that side."""
        axis = int(rng.integers(3))
        share = float(rng.uniform(*graded(difficulty, (0.065, 0.090), (0.045, 0.055), (0.024, 0.034))))
        least = graded(difficulty, 4, 3, 2)
        thickness = max(round(share * scene.subject.image.shape[axis]), least)
        return cls(axis, thickness, bool(rng.random() < 0.5))

    def apply(self, scene: Scene) -> Floats:
        return thickened(scene.subject.image, self)


def thickened(image: Floats, thick: ThickSlices) -> Floats:
    """`image` as those slices show it; the last may be thinner."""
    before = np.moveaxis(image, thick.axis, 0)
    starts = range(0, len(before), thick.thickness)
    means = [before[start : start + thick.thickness].mean(axis=0, dtype=np.float32) for start in starts]
    middles = [(start + min(start + thick.thickness, len(before)) - 1) / 2 for start in starts]
    result = np.empty_like(image)
    into = np.moveaxis(result, thick.axis, 0)
    for index in range(len(before)):
        slab = index // thick.thickness
        place = float(np.interp(index, middles, np.arange(len(middles)))) if thick.smooth else float(slab)
        low = min(int(place), len(means) - 1)
        high = min(low + 1, len(means) - 1)
        share = np.float32(place - low)
        into[index] = means[low] * (1 - share) + means[high] * share
    return result
