"""A picture of something on a few slices: a landscape, a face, a flower, a zebra's hide or a brick wall."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from datasets.anomalies.images.pictures import PICTURES, look
from datasets.anomalies.images.planes import stamped
from datasets.anomalies.scene import (
    EVERYWHERE,
    Category,
    Difficulty,
    Floats,
    Group,
    Scene,
    Voxel,
    box_around,
    graded,
    place,
)


@dataclass(frozen=True)
class Picture:
    """`radius` (half the width) and `thickness` in voxels, `angle` in radians within slices across `axis`.

    Grey values of the picture have the middle `intensity` and the range `contrast`, in the image's units;
    `opacity` is the share of the host that it covers. `motif` and `pattern` decide what it shows.
    """

    name: ClassVar[str] = "picture"
    category: ClassVar[Category] = "local"
    group: ClassVar[Group] = "images"
    populations: ClassVar[tuple[str, ...]] = EVERYWHERE
    needs_donor: ClassVar[bool] = False
    centre: Voxel
    axis: int
    radius: float
    thickness: float
    angle: float
    motif: str
    pattern: int
    intensity: float
    contrast: float
    opacity: float

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """Widths of about 36, 28 or 20 % of the shortest side, around the grey value of what is there."""
        image = scene.subject.image
        share = graded(difficulty, (0.16, 0.20), (0.12, 0.16), (0.09, 0.12))
        thickness = graded(difficulty, (0.04, 0.07), (0.025, 0.045), (0.015, 0.03))
        contrast = graded(difficulty, (0.7, 0.9), (0.45, 0.65), (0.3, 0.45))
        opacity = graded(difficulty, (0.95, 1.0), (0.7, 0.9), (0.4, 0.6))
        radius = max(float(rng.uniform(*share)) * min(image.shape), 4.0)
        centre = place(rng, scene.subject.foreground, round(radius))
        level = float(image[box_around(centre, round(radius), image.shape)].mean())
        return cls(
            centre=centre,
            axis=int(rng.integers(3)),
            radius=radius,
            thickness=max(float(rng.uniform(*thickness)) * min(image.shape), 1.0),
            angle=float(rng.uniform(-np.pi, np.pi)),
            motif=str(rng.choice(sorted(PICTURES))),
            pattern=int(rng.integers(2**32)),
            intensity=float(np.clip(level + rng.uniform(-0.1, 0.1), 0.2, 0.75)),
            contrast=float(rng.uniform(*contrast)),
            opacity=float(rng.uniform(*opacity)),
        )

    def apply(self, scene: Scene) -> Floats:
        return stamped(
            scene.subject.image, self.centre, self.axis, self.thickness, self.radius, self.angle, self.paint
        )

    def paint(self, u: Floats, v: Floats) -> tuple[Floats, Floats]:
        """Grey values and cover at places in radii from the centre."""
        brightness, cover = look(self.motif, self.pattern, u, v)
        value = np.float32(self.intensity) + np.float32(self.contrast) * (brightness - np.float32(0.5))
        return value, np.float32(self.opacity) * cover
