"""A haematoma: clot of uneven density, which may have settled in layers, and soaked tissue around."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from datasets.anomalies.lesions import (
    Crop,
    come_from,
    covered,
    grain,
    lumpy_depth,
    mean,
    millimetres,
    moved,
    pushed_from,
    ridge,
    seed,
    standing_out,
    step,
)
from datasets.anomalies.regions import Triple, depth_in
from datasets.anomalies.scene import EVERYWHERE, Category, Difficulty, Floats, Group, Scene, Voxel, graded
from datasets.anomalies.shades import hounsfield, modality, tissue


@dataclass(frozen=True)
class Haemorrhage:
    """`radii` in voxels, `lumpiness` and `form` of the outline. `clot`, `rim` and `halo` are grey values in
    the image's units: of the middle, of the outer layer and of the swollen tissue around. `settled` is how
    much darker the upper half is, on the side away from gravity (`up`, 1 or -1 along y). `opacity`; `kept`
    and `reach` of the mass effect as in `lesions.pushed_from`; `pattern` draws the grain.
    """

    name: ClassVar[str] = "haemorrhage"
    category: ClassVar[Category] = "local"
    group: ClassVar[Group] = "pathologies"
    populations: ClassVar[tuple[str, ...]] = EVERYWHERE
    needs_donor: ClassVar[bool] = False
    centre: Voxel
    radii: Triple
    form: int
    lumpiness: float
    clot: float
    rim: float
    halo: float
    settled: float
    up: int
    opacity: float
    kept: float
    reach: float
    pattern: int

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """About 13, 9 or 6 mm in radius in the brain, twice that in the abdomen."""
        brain = modality(scene) != "ct"
        factor = 1.0 if brain else 1.7
        low, high = graded(difficulty, (11, 16), (8, 11), (5.5, 8))
        radii = millimetres(rng, scene, (factor * low, factor * high), 0.35)
        names = ("white", "grey") if brain else graded(difficulty, *PLACES)
        tries = 1 if brain else graded(difficulty, 8, 3, 1)
        typical = 0.0 if brain else hounsfield(scene, 65)
        centre = standing_out(rng, scene, names, 0.7 * mean(radii), typical, tries)
        clot, rim, halo = _values(Crop.around(scene, centre, 2 * max(radii)), float(rng.random()))
        kept = float(rng.uniform(*graded(difficulty, (0.55, 0.75), (0.65, 0.8), (0.8, 0.95))))
        return cls(
            centre=centre,
            radii=radii,
            form=seed(rng),
            lumpiness=float(rng.uniform(0.12, 0.25)),
            clot=clot,
            rim=rim,
            halo=halo,
            settled=float(rng.choice([0.0, 0.12, 0.2])),
            up=-1 if scene.subject.properties.get("position") == "prone" else 1,
            opacity=float(rng.uniform(*graded(difficulty, (0.9, 1.0), (0.65, 0.8), (0.28, 0.42)))),
            kept=kept ** (1 / factor**2),
            reach=float(rng.uniform(1.9, 2.4)),
            pattern=seed(rng),
        )

    def apply(self, scene: Scene) -> Floats:
        crop = Crop.around(scene, self.centre, max(self.radii) * self.reach)
        factor = pushed_from(depth_in(crop.away, self.radii), self.kept, self.reach)
        freedom = crop.freedom()
        values = moved(crop.image, come_from(crop, factor, freedom), order=3)
        depth = lumpy_depth(crop, self.radii, self.form, self.lumpiness)
        swollen = 0.5 * self.opacity * freedom * step((1.45 - depth) / np.float32(0.4))
        soaked = values + swollen * (self.halo - values) * self._streaks(crop)
        share = self.opacity * freedom * covered(depth, self.radii, 1.5)
        return crop.replaced(soaked + share * (self._inside(crop, depth) - soaked))

    def _streaks(self, crop: Crop) -> Floats:
        streaks = grain(self.pattern + 1, crop.shape, 0.35 * mean(self.radii))
        return step(0.5 + 0.6 * streaks)

    def _inside(self, crop: Crop, depth: Floats) -> Floats:
        uneven = grain(self.pattern, crop.shape, 0.4 * mean(self.radii))
        broken = np.clip(0.7 + 0.4 * grain(self.pattern + 2, crop.shape, mean(self.radii)), 0, 1.1)
        value = self.clot + ridge(depth, 0.85, 0.25) * broken * (self.rim - self.clot)
        level = self.up * crop.away[1] / np.float32(self.radii[1]) + 0.06 * uneven
        value = value * (1 - self.settled * step(level / np.float32(0.12) + np.float32(0.5)))
        inside: Floats = (value * (1 + 0.07 * uneven)).astype(np.float32)
        return inside


# In the abdomen: where blood stands out, and where it does so less.
PLACES = (("fat",), ("fat", "small-bowel"), ("fat", "muscle"))


def _values(crop: Crop, age: float) -> tuple[float, float, float]:
    """Clot, rim and halo; methaemoglobin makes T1 bright from outside, deoxyhaemoglobin T2 dark."""
    if modality(crop.scene) == "ct":
        fresh = 55 + 25 * age
        return hounsfield(crop.scene, fresh), hounsfield(crop.scene, fresh - 15), hounsfield(crop.scene, 5)
    csf, grey, white = (tissue(crop, name) for name in ("csf", "grey", "white"))
    if modality(crop.scene) == "t2":
        clot = 0.35 * white if age < 0.6 else 0.9 * csf
        return clot, 0.3 * white, white + 0.55 * (csf - white)
    return (0.6 * grey if age < 0.4 else 1.25 * white), 1.3 * white, 0.9 * grey
