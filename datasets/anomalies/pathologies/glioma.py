"""A diffuse glioma: bright in T2, dark in T1, ill-defined, spreading through white matter into cortex."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from datasets.anomalies.lesions import (
    Crop,
    come_from,
    grain,
    lumpy_depth,
    mean,
    millimetres,
    moved,
    pushed_from,
    seed,
    step,
    where_in,
)
from datasets.anomalies.regions import Triple, depth_in
from datasets.anomalies.scene import Category, Difficulty, Floats, Group, Scene, Voxel, graded
from datasets.anomalies.shades import modality, tissue


@dataclass(frozen=True)
class Glioma:
    """`radii` in voxels, `lumpiness` and `form` of the outline, `softness` of the border in radii.

    `intensity` in the image's units, `opacity` of the whole and `cortex` of what it covers outside white
    matter; `kept` and `reach` of the mass effect as in `lesions.pushed_from`; `pattern` draws the grain.
    """

    name: ClassVar[str] = "glioma"
    category: ClassVar[Category] = "local"
    group: ClassVar[Group] = "pathologies"
    populations: ClassVar[tuple[str, ...]] = ("brain",)
    needs_donor: ClassVar[bool] = False
    centre: Voxel
    radii: Triple
    form: int
    lumpiness: float
    softness: float
    intensity: float
    opacity: float
    cortex: float
    kept: float
    reach: float
    pattern: int

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """About 18, 13 or 10 mm in radius; the hard ones are a faint change of white matter."""
        radii = millimetres(rng, scene, graded(difficulty, (15, 22), (11, 15), (8, 12)), 0.3)
        centre = where_in(rng, scene, ("white",), 0.5 * mean(radii))
        return cls(
            centre=centre,
            radii=radii,
            form=seed(rng),
            lumpiness=float(rng.uniform(0.2, 0.32)),
            softness=float(rng.uniform(0.35, 0.6)),
            intensity=_value(Crop.around(scene, centre, 2 * max(radii))),
            opacity=float(rng.uniform(*graded(difficulty, (0.8, 0.95), (0.55, 0.7), (0.28, 0.4)))),
            cortex=float(rng.uniform(0.45, 0.8)),
            kept=float(rng.uniform(*graded(difficulty, (0.75, 0.85), (0.85, 0.92), (0.94, 1.0)))),
            reach=float(rng.uniform(1.9, 2.4)),
            pattern=seed(rng),
        )

    def apply(self, scene: Scene) -> Floats:
        crop = Crop.around(scene, self.centre, max(self.radii) * max(self.reach, 1.9))
        factor = pushed_from(depth_in(crop.away, self.radii), self.kept, self.reach)
        sources = come_from(
            crop, _spread_out(factor, depth_in(crop.away, self.radii), self.kept), crop.freedom()
        )
        values, white = moved(crop.image, sources, order=3), moved(crop.share("white"), sources)
        grey = moved(crop.share("grey"), sources)
        depth = lumpy_depth(crop, self.radii, self.form, self.lumpiness)
        share = step((1 - depth) / np.float32(self.softness) + np.float32(0.5))
        share = self.opacity * share * np.clip(white + self.cortex * grey, 0, 1)
        target = self.intensity * (1 + 0.05 * grain(self.pattern, crop.shape, 0.5 * mean(self.radii)))
        return crop.replaced(values + share * (target - values))


def _spread_out(factor: Floats, depth: Floats, kept: float) -> Floats:
    """Tissue inside is swollen, not lost: it comes from nearer to the centre, evenly."""
    swollen: Floats = np.where(depth <= 1, np.float32(kept), factor)
    return swollen


def _value(crop: Crop) -> float:
    csf, grey, white = (tissue(crop, name) for name in ("csf", "grey", "white"))
    if modality(crop.scene) == "t2":
        return white + 0.72 * (csf - white)
    return grey - 0.3 * (grey - csf)
