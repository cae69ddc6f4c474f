"""A glioblastoma or metastasis: necrosis in an enhancing ring, oedema in white matter, mass effect."""

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
    seed,
    step,
    where_in,
)
from datasets.anomalies.regions import Triple, depth_in
from datasets.anomalies.scene import Category, Difficulty, Floats, Group, Scene, Voxel, graded
from datasets.anomalies.shades import modality, tissue


@dataclass(frozen=True)
class RingTumour:
    """`radii` in voxels, made uneven by `lumpiness` times a field drawn from `form`. The ring lies at the
    surface and is `wall` radii wide. `core`, `ring` and `oedema` are grey values in the image's units;
    oedema fills white matter as far as about the depth `spread`. `opacity` is how much of the host is
    covered, `kept` the share of the radius whose tissue is lost, `reach` the depth where mass effect ends;
    `pattern` draws the grain.
    """

    name: ClassVar[str] = "ring-enhancing-tumour"
    category: ClassVar[Category] = "local"
    group: ClassVar[Group] = "pathologies"
    populations: ClassVar[tuple[str, ...]] = ("brain",)
    needs_donor: ClassVar[bool] = False
    centre: Voxel
    radii: Triple
    form: int
    lumpiness: float
    wall: float
    core: float
    ring: float
    oedema: float
    spread: float
    opacity: float
    kept: float
    reach: float
    pattern: int

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """About 13, 10 or 7 mm in radius; the hard ones hardly enhance and displace little."""
        radii = millimetres(rng, scene, graded(difficulty, (11, 17), (8, 12), (5.5, 8)))
        centre = where_in(rng, scene, ("white",), 0.7 * mean(radii))
        core, ring, oedema = _values(Crop.around(scene, centre, 2 * max(radii)))
        return cls(
            centre=centre,
            radii=radii,
            form=seed(rng),
            lumpiness=float(rng.uniform(0.12, 0.22)),
            wall=max(float(rng.uniform(0.16, 0.28)), 1.4 / mean(radii)),
            core=core,
            ring=ring * float(rng.uniform(0.96, 1.06)),
            oedema=oedema,
            spread=float(rng.uniform(*graded(difficulty, (1.7, 2.3), (1.5, 2.0), (1.25, 1.5)))),
            opacity=float(rng.uniform(*graded(difficulty, (0.9, 1.0), (0.7, 0.85), (0.3, 0.45)))),
            kept=float(rng.uniform(*graded(difficulty, (0.55, 0.7), (0.65, 0.8), (0.85, 0.97)))),
            reach=float(rng.uniform(1.9, 2.3)),
            pattern=seed(rng),
        )

    def apply(self, scene: Scene) -> Floats:
        crop = Crop.around(scene, self.centre, max(self.radii) * max(self.reach, self.spread + 0.5))
        factor = pushed_from(depth_in(crop.away, self.radii), self.kept, self.reach)
        sources = come_from(crop, factor, crop.freedom())
        values, white = moved(crop.image, sources, order=3), moved(crop.share("white"), sources)
        depth = lumpy_depth(crop, self.radii, self.form, self.lumpiness)
        values = values + self._oedema(crop, depth, white) * (self.oedema - values)
        lesion = self._inside(crop, depth)
        share = self.opacity * covered(depth, self.radii, 1.4) * crop.freedom()
        return crop.replaced(values + share * (lesion - values))

    def _oedema(self, crop: Crop, depth: Floats, white: Floats) -> Floats:
        """Fingers that follow the white matter."""
        uneven = grain(self.pattern, crop.shape, 0.9 * mean(self.radii))
        far = (self.spread + 0.3 * np.clip(uneven, -1.5, 1.5) - depth) / 0.45
        spread: Floats = 0.85 * self.opacity * white * step(far.astype(np.float32))
        return spread

    def _inside(self, crop: Crop, depth: Floats) -> Floats:
        """Core and ring; the ring is thicker and brighter in some places than in others."""
        uneven = grain(self.pattern + 1, crop.shape, 0.8 * mean(self.radii))
        fine = grain(self.pattern + 2, crop.shape, 0.2 * mean(self.radii) + 1)
        width = self.wall * np.clip(1 + 0.35 * uneven, 0.5, 1.7) * 0.7
        ring = np.exp(-(((depth - 1 + 0.5 * self.wall) / width) ** 2))
        ring = np.clip(ring * np.clip(0.9 + 0.15 * uneven, 0.45, 1.1), 0, 1)
        inside: Floats = (self.core + 0.03 * fine + ring * (self.ring - self.core)).astype(np.float32)
        return inside


def _values(crop: Crop) -> tuple[float, float, float]:
    """Core, ring and oedema: after contrast medium in T1, without in T2."""
    csf, grey, white = (tissue(crop, name) for name in ("csf", "grey", "white"))
    if modality(crop.scene) == "t2":
        return 0.85 * csf + 0.15 * grey, 0.9 * grey, white + 0.6 * (csf - white)
    return 0.65 * csf + 0.35 * grey, 1.12 * white, grey + 0.1 * (white - grey)
