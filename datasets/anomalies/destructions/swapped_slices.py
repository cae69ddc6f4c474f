"""A destruction: slices in the wrong order."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from datasets.anomalies.destructions.shown import shown
from datasets.anomalies.scene import EVERYWHERE, Category, Difficulty, Floats, Group, Scene, graded


@dataclass(frozen=True)
class SwappedSlices:
    """Slices across image axis `axis` changed places, `pairs` of them."""

    name: ClassVar[str] = "swapped-slices"
    category: ClassVar[Category] = "global"
    group: ClassVar[Group] = "destructions"
    populations: ClassVar[tuple[str, ...]] = EVERYWHERE
    needs_donor: ClassVar[bool] = False
    axis: int
    pairs: tuple[tuple[int, int], ...]

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """About 25, 12 or 4 % of the slices that show anatomy, at least 8, 5 or 2 % of them apart."""
        axis = int(rng.integers(3))
        slices = shown(scene.subject, axis)
        slices = slices[slices.size // 8 : slices.size - slices.size // 8]
        share = float(rng.uniform(*graded(difficulty, (0.20, 0.30), (0.09, 0.15), (0.03, 0.05))))
        apart = max(round(graded(difficulty, 0.08, 0.05, 0.02) * slices.size), 1)
        return cls(axis, _pairs(rng, slices, max(round(share * slices.size / 2), 1), apart))

    def apply(self, scene: Scene) -> Floats:
        return reordered(scene.subject.image, self)


def reordered(image: Floats, swapped: SwappedSlices) -> Floats:
    """`image` with those slices swapped."""
    result = image.copy()
    before, after = np.moveaxis(image, swapped.axis, 0), np.moveaxis(result, swapped.axis, 0)
    for first, second in swapped.pairs:
        after[first], after[second] = before[second], before[first]
    return result


def _pairs(
    rng: np.random.Generator, slices: NDArray[np.int64], count: int, apart: int
) -> tuple[tuple[int, int], ...]:
    """At most `count` pairs `apart` or up to twice as far, no slice in two of them."""
    free = {int(index) for index in slices}
    found: list[tuple[int, int]] = []
    for first in (int(index) for index in rng.permutation(slices)):
        second = first + int(rng.integers(apart, 2 * apart + 1)) * int(rng.choice([-1, 1]))
        if len(found) < count and first in free and second in free:
            found.append((first, second))
            free -= {first, second}
    return tuple(found)
