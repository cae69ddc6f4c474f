"""A destruction: rings around the middle, from CT detector elements out of tune."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from datasets.anomalies.scene import Category, Difficulty, Floats, Group, Scene, graded


@dataclass(frozen=True)
class RingArtefact:
    """In every slice, rings around (`x`, `y`), in voxels, all `width` voxels wide. A ring is (radius in
    voxels, brightness in the image's units)."""

    name: ClassVar[str] = "ring-artefact"
    category: ClassVar[Category] = "global"
    group: ClassVar[Group] = "destructions"
    populations: ClassVar[tuple[str, ...]] = ("abdomen",)
    needs_donor: ClassVar[bool] = False
    x: float
    y: float
    width: float
    rings: tuple[tuple[float, float], ...]

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """About 22, 14 or 8 rings of up to 6, 4 or 2.5 times the noise, out to 45 % of the shorter side."""
        across, along = scene.subject.image.shape[:2]
        count = int(rng.integers(*graded(difficulty, (18, 27), (12, 17), (7, 10))))
        times = graded(difficulty, 6.0, 4.0, 2.5) * scene.subject.noise
        radii = np.sort(rng.uniform(0.02, 0.45, count) * min(across, along))
        brightness = rng.uniform(0.5, 1, count) * times * rng.choice([-1, 1], count)
        pairs = zip(radii, brightness, strict=True)
        return cls(
            x=(across - 1) / 2 + float(rng.uniform(-0.02, 0.02)) * across,
            y=(along - 1) / 2 + float(rng.uniform(-0.02, 0.02)) * along,
            width=max(0.006 * min(across, along), 0.8),
            rings=tuple((float(radius), float(value)) for radius, value in pairs),
        )

    def apply(self, scene: Scene) -> Floats:
        return ringed(scene.subject.image, self)


def ringed(image: Floats, artefact: RingArtefact) -> Floats:
    """`image` with the same rings in every slice."""
    x, y = np.ogrid[: image.shape[0], : image.shape[1]]
    radius = np.hypot(x - artefact.x, y - artefact.y)
    pattern = np.zeros(radius.shape)
    for where, brightness in artefact.rings:
        pattern += brightness * np.exp(-0.5 * ((radius - where) / (artefact.width / 2)) ** 2)
    result: Floats = image + pattern.astype(np.float32)[..., None]
    np.maximum(result, 0, out=result)
    return result
