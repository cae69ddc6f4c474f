"""An alteration: the scan the wrong way round."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from datasets.anomalies.scene import EVERYWHERE, Category, Difficulty, Floats, Group, Scene, graded


@dataclass(frozen=True)
class Flip:
    """Reversed along the image axes `axes`: 0 right to left, 1 front to back, 2 top to bottom."""

    name: ClassVar[str] = "flip"
    category: ClassVar[Category] = "global"
    group: ClassVar[Group] = "alterations"
    populations: ClassVar[tuple[str, ...]] = EVERYWHERE
    needs_donor: ClassVar[bool] = False
    axes: tuple[int, ...]

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """Upside down, at times back to front, too; back to front; right to left, organs on the wrong side.

        Brains are as often one way round as the other, so right to left is nothing unusual in them; they are
        both, only upside down, or only back to front.
        """
        if scene.population == "brain":
            return cls(graded(difficulty, (1, 2), (2,), (1,)))
        return cls(graded(difficulty, (2,) if rng.random() < 0.5 else (1, 2), (1,), (0,)))

    def apply(self, scene: Scene) -> Floats:
        return flipped(scene.subject.image, self)


def flipped(image: Floats, flip: Flip) -> Floats:
    """`image` reversed; twice gives it back."""
    return np.ascontiguousarray(np.flip(image, flip.axes))
