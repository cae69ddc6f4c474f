"""A corruption: a region brighter or darker by one amount that fades towards its border.

The smooth intensity change of Many-Tasks (Baugh et al., MICCAI 2023).
"""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from datasets.anomalies.regions import Triple, Waves, depth_of, draw_lumps, draw_radii, region_box
from datasets.anomalies.scene import (
    EVERYWHERE,
    Category,
    Difficulty,
    Floats,
    Group,
    Scene,
    Voxel,
    graded,
    place,
)


@dataclass(frozen=True)
class SmoothIntensity:
    """`amplitude`, of either sign, in the image's units; it falls off linearly over the outermost `softness`
    of the radius. `radii` in voxels."""

    name: ClassVar[str] = "smooth-intensity"
    category: ClassVar[Category] = "local"
    group: ClassVar[Group] = "corruptions"
    populations: ClassVar[tuple[str, ...]] = EVERYWHERE
    needs_donor: ClassVar[bool] = False
    centre: Voxel
    radii: Triple
    lumps: Waves
    softness: float
    amplitude: float

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """Amplitudes of about 0.26, 0.16 or 0.08, away from the nearer end of the scale."""
        image = scene.subject.image
        share = graded(difficulty, (0.12, 0.16), (0.10, 0.13), (0.08, 0.11))
        size = graded(difficulty, (0.21, 0.32), (0.13, 0.19), (0.06, 0.10))
        radii = draw_radii(rng, image.shape, share)
        centre = place(rng, scene.subject.foreground, round(max(radii)))
        level = float(image[region_box(centre, radii, image.shape)].mean())
        amplitude = float(rng.uniform(*size)) * float(rng.choice([-1.0, 1.0]))
        return cls(
            centre=centre,
            radii=radii,
            lumps=draw_lumps(rng, radii),
            softness=float(rng.uniform(0.4, 0.7)),
            amplitude=amplitude if 0.1 < level + amplitude < 0.85 else -amplitude,
        )

    def apply(self, scene: Scene) -> Floats:
        return with_change(scene.subject.image, self)


def with_change(image: Floats, change: SmoothIntensity) -> Floats:
    """`image` with the amplitude added, cut off at 0 and at the brightest voxel around."""
    result = image.copy()
    box = region_box(change.centre, change.radii, image.shape)
    depth = depth_of(box, change.centre, change.radii, change.lumps)
    share = np.clip((1 - depth) / np.float32(change.softness), 0, 1)
    changed = np.clip(image[box] + share * np.float32(change.amplitude), 0, max(float(image[box].max()), 1.0))
    result[box] = np.where(share > 0, changed, image[box])
    return result
