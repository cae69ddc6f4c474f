"""Writing burnt into a few slices, as of an annotation that was left in."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from datasets.anomalies.images.outlines import LETTERS, letter_height, writing_distance
from datasets.anomalies.images.planes import stamped
from datasets.anomalies.regions import smooth_step
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
class Lettering:
    """`text` of half the width `radius`, in lines `stroke` wide, on `thickness` slices across `axis`; all in
    voxels. `angle` in radians, `intensity` in the image's units; `opacity` is the share of the host that is
    covered."""

    name: ClassVar[str] = "lettering"
    category: ClassVar[Category] = "local"
    group: ClassVar[Group] = "images"
    populations: ClassVar[tuple[str, ...]] = EVERYWHERE
    needs_donor: ClassVar[bool] = False
    centre: Voxel
    axis: int
    radius: float
    thickness: float
    angle: float
    text: str
    stroke: float
    intensity: float
    opacity: float

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """One to four letters; the harder, the smaller, thinner and nearer to the grey value around."""
        image = scene.subject.image
        share = graded(difficulty, (0.16, 0.20), (0.12, 0.16), (0.09, 0.12))
        thickness = graded(difficulty, (0.04, 0.07), (0.025, 0.045), (0.02, 0.03))
        contrast = graded(difficulty, (0.32, 0.5), (0.18, 0.28), (0.06, 0.11))
        text = "".join(rng.choice(sorted(LETTERS), int(rng.integers(1, 5))))
        radius = max(float(rng.uniform(*share)) * min(image.shape), 4.0)
        centre = place(rng, scene.subject.foreground, round(radius))
        around = float(image[box_around(centre, round(radius), image.shape)].mean())
        apart = float(rng.uniform(*contrast))
        return cls(
            centre=centre,
            axis=int(rng.integers(3)),
            radius=radius,
            thickness=max(float(rng.uniform(*thickness)) * min(image.shape), 1.0),
            angle=float(rng.normal(0, 0.2) + rng.integers(4) * np.pi / 2),
            text=text,
            stroke=max(float(rng.uniform(0.10, 0.16)) * letter_height(text) * radius, 1.5),
            intensity=around + apart if around + apart < 0.95 else around - apart,
            opacity=float(rng.uniform(0.8, 1.0)),
        )

    def apply(self, scene: Scene) -> Floats:
        return stamped(
            scene.subject.image, self.centre, self.axis, self.thickness, self.radius, self.angle, self.paint
        )

    def paint(self, u: Floats, v: Floats) -> tuple[Floats, Floats]:
        """Grey values and cover at places in radii from the centre."""
        away = writing_distance(self.text, u, v) * np.float32(self.radius)
        cover = smooth_step(np.float32(self.stroke / 2 + 0.75) - away)
        return np.full_like(u, self.intensity), np.float32(self.opacity) * cover
