"""An arachnoid cyst: fluid with a sharp, smooth border at the brain's surface, which it has pushed in."""

from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np

from datasets.anomalies.lesions import (
    Crop,
    come_from,
    covered,
    lumpy_depth,
    mean,
    middle,
    millimetres,
    moved,
    outwards,
    pushed_from,
    seed,
)
from datasets.anomalies.regions import Triple, depth_in
from datasets.anomalies.scene import Category, Difficulty, Floats, Group, Scene, Voxel, graded
from datasets.anomalies.shades import tissue


@dataclass(frozen=True)
class ArachnoidCyst:
    """`radii` in voxels, `lumpiness` and `form` of the outline; `intensity` in the image's units; `opacity`:
    below 1 some tissue is crossed by it; `out` is the unit vector to the surface, where it goes on to the
    skull; `kept` and `reach` of the mass effect as in `lesions.pushed_from`.
    """

    name: ClassVar[str] = "arachnoid-cyst"
    category: ClassVar[Category] = "local"
    group: ClassVar[Group] = "pathologies"
    populations: ClassVar[tuple[str, ...]] = ("brain",)
    needs_donor: ClassVar[bool] = False
    centre: Voxel
    radii: Triple
    form: int
    lumpiness: float
    intensity: float
    opacity: float
    kept: float
    reach: float
    out: Triple

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """About 16, 11 or 7 mm in radius."""
        radii = millimetres(rng, scene, graded(difficulty, (13, 20), (9, 13), (6, 8.5)), 0.3)
        brain = scene.tissue("grey", "white", "csf")
        brain = brain if brain.any() else scene.subject.foreground
        heart, way = middle(brain), rng.normal(0, (1.0, 0.8, 0.8)) / np.array(scene.subject.spacing_mm)
        surface = np.asarray(outwards(brain, heart, way), dtype=np.float64)
        back = (heart - surface) / np.linalg.norm(heart - surface)
        x, y, z = (int(c) for c in np.rint(surface + back * float(rng.uniform(0.35, 0.6)) * mean(radii)))
        return cls(
            centre=(x, y, z),
            radii=radii,
            form=seed(rng),
            lumpiness=float(rng.uniform(0.04, 0.1)),
            intensity=tissue(Crop.around(scene, (x, y, z), 3 * max(radii)), "csf"),
            opacity=float(rng.uniform(*graded(difficulty, (0.97, 1.0), (0.85, 0.97), (0.35, 0.5)))),
            kept=float(rng.uniform(0.1, 0.4)),
            reach=float(rng.uniform(1.9, 2.4)),
            out=(float(-back[0]), float(-back[1]), float(-back[2])),
        )

    def apply(self, scene: Scene) -> Floats:
        crop = Crop.around(scene, self.centre, max(self.radii) * self.reach)
        crop = replace(crop, away=self._inwards(crop.away))
        factor = pushed_from(depth_in(crop.away, self.radii), self.kept, self.reach)
        freedom = crop.freedom()
        values = moved(crop.image, come_from(crop, factor, self.opacity * freedom), order=3)
        share = covered(lumpy_depth(crop, self.radii, self.form, self.lumpiness), self.radii, 1.2)
        return crop.replaced(values + self.opacity * freedom * share * (self.intensity - values))

    def _inwards(self, away: Floats) -> Floats:
        """`away` without its part towards the skull: the cyst is a bowl, and a column from there on."""
        out = np.array(self.out, dtype=np.float32)
        beyond = np.maximum(np.tensordot(out, away, axes=1), 0)
        inwards: Floats = away - out[:, None, None, None] * beyond
        return inwards
