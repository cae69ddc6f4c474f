"""An alteration: the whole scan out of focus."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from scipy import ndimage

from datasets.anomalies.scene import Floats, Scene


@dataclass(frozen=True)
class Blur:
    """A Gaussian of standard deviation `sigma` voxels."""

    needs_donor: ClassVar[bool] = False
    sigma: float

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene) -> Self:
        """1.2 to 2.6 % of the shortest side."""
        return cls(max(float(rng.uniform(0.012, 0.026)) * min(scene.subject.image.shape), 0.8))

    def apply(self, scene: Scene) -> Floats:
        return blurred(scene.subject.image, self)


def blurred(image: Floats, blur: Blur) -> Floats:
    """`image` under the Gaussian, its border values continued."""
    result: Floats = ndimage.gaussian_filter(image, blur.sigma, mode="nearest")
    return result
