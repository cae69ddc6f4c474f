"""An alteration: bright is dark, for all values or, as in an overexposed film, the brightest."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from datasets.anomalies.alterations.tones import quantiles
from datasets.anomalies.scene import EVERYWHERE, Category, Difficulty, Floats, Group, Scene, graded
from datasets.populations.subject import Subject


@dataclass(frozen=True)
class InvertedContrast:
    """Grey values above `fold`, in the image's units, become as much darker than it as they were brighter;
    of a `whole` one all, mirrored at `fold`. Nothing becomes darker than 0."""

    name: ClassVar[str] = "inverted-contrast"
    category: ClassVar[Category] = "global"
    group: ClassVar[Group] = "alterations"
    populations: ClassVar[tuple[str, ...]] = EVERYWHERE
    needs_donor: ClassVar[bool] = False
    fold: float
    whole: bool

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """All; about the brightest 55 % of the anatomy; about the brightest 15 %."""
        if difficulty == "easy":
            return cls(0.5, True)
        brightest = float(rng.uniform(*graded(difficulty, (1.0, 1.0), (0.45, 0.65), (0.10, 0.20))))
        (fold,) = quantiles(scene.subject, 1 - brightest)
        return cls(fold, False)

    def apply(self, scene: Scene) -> Floats:
        return inverted(scene.subject, self)


def inverted(subject: Subject, inversion: InvertedContrast) -> Floats:
    """The subject's image with those values mirrored; outside a stripped brain it stays 0."""
    fold = np.float32(inversion.fold)
    result: Floats = 2 * fold - subject.image
    if not inversion.whole:
        np.minimum(result, subject.image, out=result)
    np.maximum(result, 0, out=result)
    if subject.stripped:
        result[~subject.foreground] = 0
    return result
