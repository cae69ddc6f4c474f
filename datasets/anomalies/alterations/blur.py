"""An alteration: the whole scan out of focus."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from scipy import ndimage

from datasets.anomalies.scene import EVERYWHERE, Category, Difficulty, Floats, Group, Scene, graded


@dataclass(frozen=True)
class Blur:
    """A Gaussian of standard deviation `sigma` voxels."""

    name: ClassVar[str] = "blur"
    category: ClassVar[Category] = "global"
    group: ClassVar[Group] = "alterations"
    populations: ClassVar[tuple[str, ...]] = EVERYWHERE
    needs_donor: ClassVar[bool] = False
    sigma: float

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """About 2.6, 1.7 or 1.0 % of the shortest side."""
        share = graded(difficulty, (0.022, 0.030), (0.014, 0.020), (0.008, 0.012))
        least = graded(difficulty, 1.2, 0.8, 0.5)
        return cls(max(float(rng.uniform(*share)) * min(scene.subject.image.shape), least))

    def apply(self, scene: Scene) -> Floats:
        return blurred(scene.subject.image, self)


def blurred(image: Floats, blur: Blur) -> Floats:
    """`image` under the Gaussian, its border values continued."""
    result: Floats = ndimage.gaussian_filter(image, blur.sigma, mode="nearest")
    return result
