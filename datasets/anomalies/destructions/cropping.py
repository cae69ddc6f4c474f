"""A destruction: the field of view ends before the anatomy does."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from datasets.anomalies.destructions.shown import shown
from datasets.anomalies.scene import EVERYWHERE, Category, Difficulty, Floats, Group, Scene, graded


@dataclass(frozen=True)
class Cropping:
    """Before `first` and from `stop` on, slices across image axis `axis` hold nothing but `level`."""

    name: ClassVar[str] = "cropping"
    category: ClassVar[Category] = "global"
    group: ClassVar[Group] = "destructions"
    populations: ClassVar[tuple[str, ...]] = EVERYWHERE
    needs_donor: ClassVar[bool] = False
    axis: int
    first: int
    stop: int
    level: float

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """About 30, 17 or 8 % of the slices that show anatomy, on one side or both."""
        axis = int(rng.integers(3))
        slices = shown(scene.subject, axis)
        gone = float(rng.uniform(*graded(difficulty, (0.25, 0.35), (0.14, 0.20), (0.06, 0.10)))) * slices.size
        before = gone * float(rng.choice([0.0, 1.0, rng.uniform(0.3, 0.7)]))
        first = int(slices[round(before)]) if before else 0
        stop = (
            int(slices[-1 - round(gone - before)]) + 1 if before < gone else scene.subject.image.shape[axis]
        )
        return cls(axis, first, stop, float(scene.subject.image.min()))

    def apply(self, scene: Scene) -> Floats:
        return cropped(scene.subject.image, self)


def cropped(image: Floats, cropping: Cropping) -> Floats:
    """`image` with nothing outside that field of view."""
    result = image.copy()
    slices = np.moveaxis(result, cropping.axis, 0)
    slices[: cropping.first] = cropping.level
    slices[cropping.stop :] = cropping.level
    return result
