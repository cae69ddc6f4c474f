"""A corruption: noise on a region, beyond what the scanner adds everywhere."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from datasets.anomalies.regions import Triple, Waves, draw_lumps, draw_radii, region_box, share_of
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
from datasets.fields import gaussian_field


@dataclass(frozen=True)
class NoiseBurst:
    """`deviation` in the image's units; `grain`: the noise is white noise filtered with a Gaussian of that
    many voxels; `pattern` decides which noise. `radii` in voxels, `softness` of the border as a share of the
    radius."""

    name: ClassVar[str] = "noise-burst"
    category: ClassVar[Category] = "local"
    group: ClassVar[Group] = "corruptions"
    populations: ClassVar[tuple[str, ...]] = EVERYWHERE
    needs_donor: ClassVar[bool] = False
    centre: Voxel
    radii: Triple
    lumps: Waves
    softness: float
    deviation: float
    grain: float
    pattern: int

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """A deviation of about 9, 5 or 2.7 times the scan's own noise."""
        share = graded(difficulty, (0.11, 0.15), (0.09, 0.12), (0.07, 0.10))
        times = graded(difficulty, (8.5, 10.0), (4.8, 5.8), (2.4, 3.0))
        radii = draw_radii(rng, scene.subject.image.shape, share)
        return cls(
            centre=place(rng, scene.subject.foreground, round(max(radii))),
            radii=radii,
            lumps=draw_lumps(rng, radii),
            softness=float(rng.uniform(0.25, 0.45)),
            deviation=float(rng.uniform(*times)) * scene.subject.noise,
            grain=float(rng.uniform(0.35, 0.8)),
            pattern=int(rng.integers(2**32)),
        )

    def apply(self, scene: Scene) -> Floats:
        return with_burst(scene.subject.image, self)


def with_burst(image: Floats, burst: NoiseBurst) -> Floats:
    """`image` with the noise on it, mirrored at 0 as that of magnitudes is."""
    result = image.copy()
    box = region_box(burst.centre, burst.radii, image.shape)
    share = share_of(box, burst.centre, burst.radii, burst.lumps, burst.softness)
    rng = np.random.default_rng(burst.pattern)
    noise = gaussian_field(rng, share.shape, (1.0, 1.0, 1.0), [(burst.grain, burst.deviation)])
    result[box] = np.where(share > 0, np.abs(image[box] + share * noise), image[box])
    return result
