"""A lesion: a lumpy blob with a soft edge, a grain of its own and, at times, a rim around a core."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from datasets.anomalies.lesions import grain, mean, seed
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

DETAILS = ((0, 0.7), (1, 0.25))  # widths as shares of the radius
Waves = tuple[tuple[float, float, float, float], ...]


@dataclass(frozen=True)
class TexturedLesion:
    """Lengths in voxels, intensities in the image's units.

    `radii` of the ellipsoid that `lumps` deform; `intensity` inside, plus `grain` times a random field that
    `pattern` draws, plus `rim` near the surface; `softness` is the width of the edge as a share of the
    radius, `opacity` how much of the host's own structure is covered. A wave is (x, y, z, phase) in radians.
    """

    name: ClassVar[str] = "textured-lesion"
    category: ClassVar[Category] = "local"
    group: ClassVar[Group] = "pathologies"
    populations: ClassVar[tuple[str, ...]] = EVERYWHERE
    needs_donor: ClassVar[bool] = False
    centre: Voxel
    radii: tuple[float, float, float]
    intensity: float
    grain: float
    rim: float
    softness: float
    opacity: float
    lumps: Waves
    pattern: int

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """Radii of about 13, 10 or 7 % of the shortest side; brighter or darker than its surroundings."""
        image = scene.subject.image
        share = graded(difficulty, (0.11, 0.14), (0.08, 0.12), (0.06, 0.09))
        contrast = graded(difficulty, (0.30, 0.45), (0.18, 0.30), (0.06, 0.14))
        strength = graded(difficulty, 1.0, 0.8, 0.4)
        size = max(float(rng.uniform(*share)) * min(image.shape), 2.0)
        x, y, z = (float(r) for r in size * rng.uniform(0.75, 1.25, 3))
        centre = place(rng, scene.subject.foreground, round(size))
        around = float(image[box_around(centre, round(size), image.shape)].mean())
        return cls(
            centre=centre,
            radii=(x, y, z),
            intensity=_apart(around, float(rng.uniform(*contrast)), bool(rng.random() < 0.5)),
            grain=strength * float(rng.uniform(0.05, 0.11)),
            rim=strength * float(rng.choice([0.0, 0.15, -0.15])),
            softness=float(rng.uniform(0.2, 0.5)),
            opacity=float(rng.uniform(0.7, 1.0)),
            lumps=_waves(rng, 6, 2.5 / size),
            pattern=seed(rng),
        )

    def apply(self, scene: Scene) -> Floats:
        return with_lesion(scene.subject.image, self)


def with_lesion(image: Floats, lesion: TexturedLesion) -> Floats:
    """`image` with the lesion in it; only a box around it is computed."""
    result = image.copy()
    box = box_around(lesion.centre, int(max(lesion.radii) * 1.6) + 2, image.shape)
    away = offsets(box, lesion.centre)
    depth = np.sqrt(sum((away[axis] / lesion.radii[axis]) ** 2 for axis in range(3)))
    depth = depth * (1 + 0.22 * _sum_of(lesion.lumps, away))
    value = lesion.intensity + lesion.grain * _texture(lesion, depth.shape)
    value = np.clip(value + lesion.rim * np.exp(-(((depth - 0.8) / 0.15) ** 2)), 0.03, 0.97)
    share = lesion.opacity * np.clip((1 - depth) / lesion.softness + 0.5, 0, 1)
    result[box] += (share * (value - result[box])).astype(np.float32)
    return result


def _texture(lesion: TexturedLesion, shape: tuple[int, ...]) -> Floats:
    """Of variance 1, coarse and fine as the lesion is large: plane waves of one length look woven."""
    coarse, fine = (grain(lesion.pattern + n, shape, share * mean(lesion.radii)) for n, share in DETAILS)
    return np.float32(0.8) * coarse + np.float32(0.6) * fine


def _apart(around: float, contrast: float, darker: bool) -> float:
    wanted = around - contrast if darker else around + contrast
    if not 0.08 <= wanted <= 0.92:
        wanted = 2 * around - wanted
    return float(np.clip(wanted, 0.05, 0.95))


def _waves(rng: np.random.Generator, count: int, frequency: float) -> Waves:
    directions = rng.normal(0, frequency, (count, 3))
    phases = rng.uniform(0, 2 * np.pi, count)
    return tuple(
        (float(x), float(y), float(z), float(p)) for (x, y, z), p in zip(directions, phases, strict=True)
    )


def _sum_of(waves: Waves, away: Floats) -> NDArray[np.float32]:
    """A random field of variance 1 made of plane waves: smooth, and known from a few numbers."""
    total = np.zeros(away.shape[1:], dtype=np.float32)
    for x, y, z, phase in waves:
        total += np.cos(x * away[0] + y * away[1] + z * away[2] + phase).astype(np.float32)
    return total * np.float32((2 / len(waves)) ** 0.5)
