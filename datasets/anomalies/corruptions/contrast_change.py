"""A corruption: contrast stretched or flattened in a region, whose mean stays what it was."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from datasets.anomalies.regions import Triple, Waves, draw_lumps, draw_radii, lively, region_box, share_of
from datasets.anomalies.scene import EVERYWHERE, Category, Difficulty, Floats, Group, Scene, Voxel, graded


@dataclass(frozen=True)
class ContrastChange:
    """`radii` in voxels; `factor` multiplies the distance from the region's mean; `softness` of the border
    as a share of the radius."""

    name: ClassVar[str] = "contrast-change"
    category: ClassVar[Category] = "local"
    group: ClassVar[Group] = "corruptions"
    populations: ClassVar[tuple[str, ...]] = EVERYWHERE
    needs_donor: ClassVar[bool] = False
    centre: Voxel
    radii: Triple
    lumps: Waves
    softness: float
    factor: float

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """Radii of about 15, 12 or 9 % of the shortest side; half of the draws stretch, half flatten."""
        share = graded(difficulty, (0.13, 0.17), (0.10, 0.14), (0.08, 0.11))
        stretched = graded(difficulty, (3.0, 4.0), (1.7, 2.1), (1.3, 1.5))
        flattened = graded(difficulty, (0.0, 0.1), (0.25, 0.45), (0.55, 0.72))
        radii = draw_radii(rng, scene.subject.image.shape, share)
        return cls(
            centre=lively(rng, scene, round(max(radii)), graded(difficulty, 32, 16, 8)),
            radii=radii,
            lumps=draw_lumps(rng, radii),
            softness=float(rng.uniform(*graded(difficulty, (0.15, 0.25), (0.25, 0.4), (0.3, 0.5)))),
            factor=float(rng.uniform(*(stretched if rng.random() < 0.5 else flattened))),
        )

    def apply(self, scene: Scene) -> Floats:
        return with_contrast(scene.subject.image, self)


def with_contrast(image: Floats, change: ContrastChange) -> Floats:
    """`image` with the region's contrast changed, cut off at 0 and at the brightest voxel around."""
    result = image.copy()
    box = region_box(change.centre, change.radii, image.shape)
    share = share_of(box, change.centre, change.radii, change.lumps, change.softness)
    mean = np.average(image[box], weights=share).astype(np.float32)
    changed = image[box] + share * np.float32(change.factor - 1) * (image[box] - mean)
    result[box] = np.where(share > 0, np.clip(changed, 0, max(float(image[box].max()), 1.0)), image[box])
    return result
