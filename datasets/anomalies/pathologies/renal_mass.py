"""A renal cell carcinoma: an uneven mass that bulges out of the kidney, with a scar or necrosis within."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from datasets.anomalies.lesions import (
    Crop,
    apart,
    grain,
    grown,
    mean,
    millimetres,
    seed,
    step,
    where_in,
)
from datasets.anomalies.regions import Triple
from datasets.anomalies.scene import Category, Difficulty, Floats, Group, Scene, Voxel, graded
from datasets.anomalies.shades import enhanced, hounsfield


@dataclass(frozen=True)
class RenalMass:
    """`radii` in voxels, `lumpiness` and `form` of the outline; `intensity` of the solid part, `scar` of the
    necrosis in the image's units, which fills `necrosis` of the radius; `opacity`; `kept` and `reach` of
    the mass effect as in `lesions.pushed_from`; `pattern` draws the grain.
    """

    name: ClassVar[str] = "renal-mass"
    category: ClassVar[Category] = "local"
    group: ClassVar[Group] = "pathologies"
    populations: ClassVar[tuple[str, ...]] = ("abdomen",)
    needs_donor: ClassVar[bool] = False
    centre: Voxel
    radii: Triple
    form: int
    lumpiness: float
    intensity: float
    scar: float
    necrosis: float
    opacity: float
    kept: float
    reach: float
    pattern: int

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """About 28, 19 or 13 mm in radius, half in the kidney and half in the fat around it."""
        radii = millimetres(rng, scene, graded(difficulty, (23, 33), (16, 22), (11, 15)))
        medium = enhanced(scene)
        solid = hounsfield(scene, 38 + float(rng.uniform(20, 75)) * medium)
        found = [_at_kidney(rng, scene, radii) for _ in range(graded(difficulty, 8, 3, 1))]
        return cls(
            centre=max(found, key=lambda centre: apart(scene, centre, 0.7 * mean(radii), solid)),
            radii=radii,
            form=seed(rng),
            lumpiness=float(rng.uniform(0.1, 0.2)),
            intensity=solid,
            scar=hounsfield(scene, 8 + 22 * medium),
            necrosis=float(rng.uniform(0.2, 0.7)),
            opacity=float(rng.uniform(*graded(difficulty, (0.95, 1.0), (0.8, 0.95), (0.4, 0.6)))),
            kept=float(rng.uniform(0.55, 0.8)),
            reach=float(rng.uniform(1.7, 2.2)),
            pattern=seed(rng),
        )

    def apply(self, scene: Scene) -> Floats:
        return grown(scene, self, 1.3, self._inside)

    def _inside(self, crop: Crop, depth: Floats) -> Floats:
        uneven = grain(self.pattern, crop.shape, 0.45 * mean(self.radii))
        fine = grain(self.pattern + 1, crop.shape, 0.15 * mean(self.radii) + 1)
        dead = step((self.necrosis - depth + 0.25 * uneven) / 0.2)
        solid = self.intensity * (1 + 0.06 * uneven + 0.03 * fine)
        return (solid + dead * (self.scar - solid)).astype(np.float32)


def _at_kidney(rng: np.random.Generator, scene: Scene, radii: Triple) -> Voxel:
    """A place at the kidney's surface, a little outside as seen from the part of it that lies near."""
    inside = where_in(rng, scene, ("kidneys",), 0)
    around = Crop.around(scene, inside, 1.2 * max(radii))
    kidney = around.inside("kidneys")
    heart = around.away[:, kidney].mean(axis=1) if kidney.any() else rng.standard_normal(3)
    way = -heart / max(float(np.linalg.norm(heart)), 1e-3)
    shift = float(rng.uniform(0.1, 0.5)) * np.array(radii) * way
    last = np.array(scene.subject.image.shape) - 1
    x, y, z = (int(c) for c in np.clip(np.rint(inside + shift), 0, last))
    return x, y, z
