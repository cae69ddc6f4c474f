"""Metastases of the liver: a few targets, darker with a rim that takes up contrast medium, or calcified."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from datasets.anomalies.lesions import (
    Crop,
    covered,
    grain,
    lumpy_depth,
    mean,
    millimetres,
    ridge,
    seed,
    step,
    where_in,
)
from datasets.anomalies.regions import Triple
from datasets.anomalies.scene import Category, Difficulty, Floats, Group, Scene, Voxel, graded
from datasets.anomalies.shades import enhanced, hounsfield


@dataclass(frozen=True)
class LiverMetastases:
    """The largest lies at `centre` with half axes `radii` (voxels), the `others` follow as (centre, radii,
    form). `lumpiness` and `form` of the outline; `core`, `margin` and `rim` are grey values in the image's
    units, from inside out; `softness` of the border in radii, `opacity`; `pattern` draws the grain.
    """

    name: ClassVar[str] = "liver-metastases"
    category: ClassVar[Category] = "local"
    group: ClassVar[Group] = "pathologies"
    populations: ClassVar[tuple[str, ...]] = ("abdomen",)
    needs_donor: ClassVar[bool] = False
    centre: Voxel
    radii: Triple
    form: int
    others: tuple[tuple[Voxel, Triple, int], ...]
    lumpiness: float
    core: float
    margin: float
    rim: float
    softness: float
    opacity: float
    pattern: int

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """One to four of about 20, 15 or 13 mm in radius; the hard ones are single and faint."""
        size = graded(difficulty, (17, 25), (13, 17), (11, 15))
        radii = _seen(millimetres(rng, scene, size))
        many = int(rng.integers(*graded(difficulty, (1, 4), (0, 3), (0, 1))))
        centre = where_in(rng, scene, ("liver",), 0.9 * mean(radii))
        others = []
        for _ in range(many):
            smaller = _seen(millimetres(rng, scene, (0.7 * size[0], size[0])))
            others.append((where_in(rng, scene, ("liver",), 0.9 * mean(smaller)), smaller, seed(rng)))
        core, margin, rim = _values(scene, difficulty, rng)
        return cls(
            centre=centre,
            radii=radii,
            form=seed(rng),
            others=tuple(others),
            lumpiness=float(rng.uniform(0.08, 0.16)),
            core=core,
            margin=margin,
            rim=rim,
            softness=float(rng.uniform(*graded(difficulty, (0.05, 0.15), (0.1, 0.25), (0.12, 0.25)))),
            opacity=float(rng.uniform(*graded(difficulty, (0.95, 1.0), (0.85, 0.95), (0.7, 0.85)))),
            pattern=seed(rng),
        )

    def apply(self, scene: Scene) -> Floats:
        result = scene.subject.image.copy()
        for centre, radii, form in ((self.centre, self.radii, self.form), *self.others):
            crop = Crop.around(scene, centre, 1.6 * max(radii))
            depth = lumpy_depth(crop, radii, form, self.lumpiness)
            share = self.opacity * covered(depth, radii, max(self.softness * mean(radii), 1.2))
            share = share * np.clip(2 * crop.share("liver") - 0.5, 0, 1)
            result[crop.box] += share * (self._inside(crop, depth, radii) - result[crop.box])
        return result

    def _inside(self, crop: Crop, depth: Floats, radii: Triple) -> Floats:
        uneven = grain(self.pattern, crop.shape, 0.5 * mean(radii))
        value = self.core + step((depth + 0.1 * uneven - 0.4) / 0.35) * (self.margin - self.core)
        value = value + ridge(depth, 0.92, max(0.12, 0.8 / mean(radii))) * (self.rim - value)
        return (value * (1 + 0.03 * uneven)).astype(np.float32)


LEAST = 2.6  # voxels; a fainter border than of other lesions makes what is seen smaller
CALCIFIED = 0.1  # share, besides those that could not be seen otherwise


def _seen(radii: Triple) -> Triple:
    x, y, z = (max(radius, LEAST) for radius in radii)
    return x, y, z


def _values(scene: Scene, difficulty: Difficulty, rng: np.random.Generator) -> tuple[float, float, float]:
    """Darker by so many deviations of the noise where that is still denser than water, else calcified."""
    liver = _liver(scene)
    contrast = scene.subject.noise * float(
        rng.uniform(*graded(difficulty, (6.3, 7.5), (4.6, 5.6), (3.0, 3.8)))
    )
    if rng.random() > CALCIFIED and liver - contrast > hounsfield(scene, -10):
        return liver - contrast, liver - 0.85 * contrast, liver + 0.15 * contrast * enhanced(scene)
    return liver + 2.2 * contrast, liver + 1.2 * contrast, liver + 0.2 * contrast


def _liver(scene: Scene) -> float:
    step = max(min(scene.subject.image.shape) // 64, 1)
    coarse = (slice(None, None, step),) * 3
    values = scene.subject.image[coarse][scene.tissue("liver")[coarse]]
    return float(np.median(values)) if values.size else hounsfield(scene, 60 + 50 * enhanced(scene))
