"""A destruction: some slices of the scan are empty."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from datasets.anomalies.scene import EVERYWHERE, Category, Difficulty, Floats, Group, Scene, graded


@dataclass(frozen=True)
class SliceDropout:
    """The `slices` across `axis` that hold nothing but `level`."""

    name: ClassVar[str] = "slice-dropout"
    category: ClassVar[Category] = "global"
    group: ClassVar[Group] = "destructions"
    populations: ClassVar[tuple[str, ...]] = EVERYWHERE
    needs_donor: ClassVar[bool] = False
    axis: int
    slices: tuple[int, ...]
    level: float

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """About 9, 5 or 2 % of the slices that show anatomy, side by side or scattered."""
        axis = int(rng.integers(3))
        others = tuple({0, 1, 2} - {axis})
        shown = np.flatnonzero(scene.subject.foreground.any(axis=others))
        if shown.size == 0:
            raise ValueError(
                "the scan has no anatomy to drop slices of; its shape times spacing is too small"
            )
        share = graded(difficulty, (0.07, 0.11), (0.04, 0.07), (0.01, 0.03))
        count = max(round(float(rng.uniform(*share)) * shown.size), 1)
        central = shown[shown.size // 6 : max(shown.size - shown.size // 6, count)]
        if rng.random() < 0.5:
            first = int(rng.integers(max(central.size - count, 0) + 1))
            chosen = central[first : first + count]
        else:
            chosen = np.sort(rng.choice(central, min(count, central.size), replace=False))
        return cls(axis, tuple(int(i) for i in chosen), float(scene.subject.image.min()))

    def apply(self, scene: Scene) -> Floats:
        return without_slices(scene.subject.image, self)


def without_slices(image: Floats, dropout: SliceDropout) -> Floats:
    """`image` with those slices set to the level."""
    result = image.copy()
    np.moveaxis(result, dropout.axis, 0)[list(dropout.slices)] = dropout.level
    return result
