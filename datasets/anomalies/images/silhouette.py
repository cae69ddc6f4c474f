"""Something that nobody has inside, as a solid: the gorilla of Drew et al. (Psychological Science, 2013)."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from datasets.anomalies.images.outlines import OUTLINES, outline_depth
from datasets.anomalies.images.planes import BRIGHTEST, DARKEST
from datasets.anomalies.regions import Triple, rotation, smooth_step
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
    offsets,
    place,
)
from datasets.fields import gaussian_field

GRAINS = (0.8, 2.5)  # voxels, of the fine and the coarse half of the texture


@dataclass(frozen=True)
class Silhouette:
    """An outline, `radius` from its middle to its ends, pulled out by `half_depth` to both sides.

    Lengths in voxels, `angles` in radians; the border is `softness` wide. Inside: `intensity` and a texture
    of deviation `grain`, in the image's units, drawn from `pattern`; `opacity` is the share of the host that
    is covered.
    """

    name: ClassVar[str] = "silhouette"
    category: ClassVar[Category] = "local"
    group: ClassVar[Group] = "images"
    populations: ClassVar[tuple[str, ...]] = EVERYWHERE
    needs_donor: ClassVar[bool] = False
    centre: Voxel
    outline: str
    axis: int
    angles: Triple
    radius: float
    half_depth: float
    softness: float
    intensity: float
    grain: float
    pattern: int
    opacity: float

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """Radii of about 18, 14 or 11 % of the shortest side, upright or not, nearly along an image axis."""
        image = scene.subject.image
        share = graded(difficulty, (0.16, 0.20), (0.12, 0.16), (0.10, 0.12))
        contrast = graded(difficulty, (0.28, 0.42), (0.15, 0.24), (0.04, 0.09))
        opacity = graded(difficulty, (0.95, 1.0), (0.85, 0.95), (0.6, 0.8))
        radius = max(float(rng.uniform(*share)) * min(image.shape), 4.0)
        centre = place(rng, scene.subject.foreground, round(radius))
        around = float(image[box_around(centre, round(0.6 * radius), image.shape)].mean())
        apart = float(rng.uniform(*contrast)) * float(rng.choice([-1.0, 1.0]))
        axis, angles = int(rng.integers(3)), rng.normal(0, 0.15, 3)
        angles[axis] = rng.uniform(-np.pi, np.pi)
        x, y, z = (float(angle) for angle in angles)
        return cls(
            centre=centre,
            outline=str(rng.choice(sorted(OUTLINES))),
            axis=axis,
            angles=(x, y, z),
            radius=radius,
            half_depth=max(float(rng.uniform(0.25, 0.5)) * radius, 1.5),
            softness=max(float(rng.uniform(0.08, 0.16)) * radius, 1.5),
            intensity=around + apart if 0.08 < around + apart < 0.92 else around - apart,
            grain=float(rng.uniform(0.03, 0.06)),
            pattern=int(rng.integers(2**32)),
            opacity=float(rng.uniform(*opacity)),
        )

    def apply(self, scene: Scene) -> Floats:
        return with_silhouette(scene.subject.image, self)


def with_silhouette(image: Floats, thing: Silhouette) -> Floats:
    """`image` with the solid in it; only a box around it is computed."""
    result = image.copy()
    box = box_around(thing.centre, int(np.hypot(1.35 * thing.radius, thing.half_depth)) + 2, image.shape)
    turned = np.tensordot(rotation(thing.angles), offsets(box, thing.centre), 1)
    u, v, w = (turned[(thing.axis + step) % 3] for step in (1, 2, 0))
    radius = np.float32(thing.radius)
    inside = radius * outline_depth(thing.outline, u / radius, v / radius)
    depth = np.minimum(inside, np.float32(thing.half_depth) - np.abs(w))
    share = np.float32(thing.opacity) * smooth_step(depth / np.float32(thing.softness) + np.float32(0.5))
    parts = [(scale, thing.grain * 0.5**0.5) for scale in GRAINS]
    grain = gaussian_field(np.random.default_rng(thing.pattern), share.shape, (1.0, 1.0, 1.0), parts)
    result[box] += share * (np.clip(np.float32(thing.intensity) + grain, DARKEST, BRIGHTEST) - result[box])
    return result
