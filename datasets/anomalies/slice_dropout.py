"""A destruction: some slices of the scan are empty."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from datasets.anomalies.scene import Floats, Scene


@dataclass(frozen=True)
class SliceDropout:
    """The `slices` across `axis` that hold nothing but `level`."""

    needs_donor: ClassVar[bool] = False
    axis: int
    slices: tuple[int, ...]
    level: float

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene) -> Self:
        """4 to 10 % of the slices that show anatomy, side by side or scattered."""
        axis = int(rng.integers(3))
        others = tuple({0, 1, 2} - {axis})
        shown = np.flatnonzero(scene.subject.foreground.any(axis=others))
        if shown.size == 0:
            raise ValueError(
                "the scan has no anatomy to drop slices of; its shape times spacing is too small"
            )
        count = max(round(float(rng.uniform(0.04, 0.10)) * shown.size), 1)
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
