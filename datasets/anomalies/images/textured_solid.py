"""A ball or a rounded box of wood, marble or foam, or with a picture going through it."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from datasets.anomalies.images.materials import MATERIALS, brightness_of
from datasets.anomalies.images.planes import BRIGHTEST, DARKEST
from datasets.anomalies.regions import Triple, draw_radii, rotation, smooth_step
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

POWERS = (2.0, 3.0, 5.0)  # from an ellipsoid to nearly a box


@dataclass(frozen=True)
class TexturedSolid:
    """`radii` in voxels, turned by `angles` radians; |x|^`power` + ... = 1 is its surface.

    Grey values have the middle `intensity` and the range `contrast`, in the image's units. `softness` is the
    width of the border as a share of the radius, `opacity` the share of the host that is covered.
    """

    name: ClassVar[str] = "textured-solid"
    category: ClassVar[Category] = "local"
    group: ClassVar[Group] = "images"
    populations: ClassVar[tuple[str, ...]] = EVERYWHERE
    needs_donor: ClassVar[bool] = False
    centre: Voxel
    radii: Triple
    angles: Triple
    power: float
    material: str
    pattern: int
    intensity: float
    contrast: float
    softness: float
    opacity: float

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """Radii of about 14, 11 or 9 % of the shortest side, around the grey value of what is there."""
        image = scene.subject.image
        share = graded(difficulty, (0.12, 0.15), (0.09, 0.12), (0.075, 0.095))
        contrast = graded(difficulty, (0.6, 0.8), (0.38, 0.55), (0.22, 0.34))
        opacity = graded(difficulty, (0.95, 1.0), (0.75, 0.9), (0.4, 0.6))
        radii = draw_radii(rng, image.shape, share)
        centre = place(rng, scene.subject.foreground, round(max(radii)))
        level = float(image[box_around(centre, round(max(radii)), image.shape)].mean())
        x, y, z = (float(angle) for angle in rng.uniform(-np.pi, np.pi, 3))
        return cls(
            centre=centre,
            radii=radii,
            angles=(x, y, z),
            power=float(rng.choice(POWERS)),
            material=str(rng.choice(sorted(MATERIALS))),
            pattern=int(rng.integers(2**32)),
            intensity=float(np.clip(level + rng.uniform(-0.08, 0.08), 0.2, 0.8)),
            contrast=float(rng.uniform(*contrast)),
            softness=float(rng.uniform(0.12, 0.25)),
            opacity=float(rng.uniform(*opacity)),
        )

    def apply(self, scene: Scene) -> Floats:
        return with_solid(scene.subject.image, self)


def with_solid(image: Floats, solid: TexturedSolid) -> Floats:
    """`image` with the solid in it; only a box around it is computed."""
    result = image.copy()
    corner = 3 ** (0.5 - 1 / solid.power) * max(solid.radii)
    box = box_around(solid.centre, int(corner) + 1, image.shape)
    turned = np.tensordot(rotation(solid.angles), offsets(box, solid.centre), 1)
    u, v, w = (turned[axis] / np.float32(radius) for axis, radius in enumerate(solid.radii))
    power = np.float32(solid.power)
    depth = (np.abs(u) ** power + np.abs(v) ** power + np.abs(w) ** power) ** (1 / power)
    share = np.float32(solid.opacity) * smooth_step((1 - depth) / np.float32(solid.softness))
    inside = share > 0
    brightness = brightness_of(solid.material, solid.pattern, u[inside], v[inside], w[inside])
    value = np.float32(solid.intensity) + np.float32(solid.contrast) * (brightness - np.float32(0.5))
    host = result[box][inside]
    result[box][inside] = host + share[inside] * (np.clip(value, DARKEST, BRIGHTEST) - host)
    return result
