"""A saccular aneurysm of a cerebral artery: blood that looks as in the artery, at times with clot."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from datasets.anomalies.lesions import (
    Crop,
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
from datasets.anomalies.shades import modality, tissue


@dataclass(frozen=True)
class CerebralAneurysm:
    """`radii` of the sac in voxels, `lumpiness` and `form` of its outline; `intensity` of the blood and
    `clot` of the thrombus in the image's units; the thrombus lies on the side of the unit vector `side`, from
    `level` radii on; `opacity`; `kept` and `reach` of the mass effect as in `lesions.pushed_from`;
    `pattern` draws layers of clot.
    """

    name: ClassVar[str] = "cerebral-aneurysm"
    category: ClassVar[Category] = "local"
    group: ClassVar[Group] = "pathologies"
    populations: ClassVar[tuple[str, ...]] = ("brain",)
    needs_donor: ClassVar[bool] = False
    centre: Voxel
    radii: Triple
    form: int
    lumpiness: float
    intensity: float
    clot: float
    side: Triple
    level: float
    opacity: float
    kept: float
    reach: float
    pattern: int

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """About 10, 7 or 5 mm in radius, at the vessel nearest to the base of a few."""
        radii = millimetres(rng, scene, graded(difficulty, (8, 12), (6, 8.5), (4.5, 6)))
        near = _vessel(rng, scene)
        way = rng.standard_normal(3)
        way /= np.linalg.norm(way)
        x, y, z = (int(c) for c in np.rint(np.array(near) + 0.7 * np.array(radii) * way))
        limits = [
            int(np.clip(c, 0, n - 1)) for c, n in zip((x, y, z), scene.subject.image.shape, strict=True)
        ]
        centre = (limits[0], limits[1], limits[2])
        blood, clot = _values(Crop.around(scene, centre, 2 * max(radii)))
        u, v, w = (float(c) for c in way)
        return cls(
            centre=centre,
            radii=radii,
            form=seed(rng),
            lumpiness=float(rng.uniform(0.04, 0.12)),
            intensity=blood,
            clot=clot,
            side=(u, v, w),
            level=float(rng.choice([0.2, 0.5, 2.0])),
            opacity=float(rng.uniform(*graded(difficulty, (0.95, 1.0), (0.7, 0.85), (0.3, 0.45)))),
            kept=float(rng.uniform(0.3, 0.6)),
            reach=float(rng.uniform(1.8, 2.3)),
            pattern=seed(rng),
        )

    def apply(self, scene: Scene) -> Floats:
        return grown(scene, self, 1.2, self._inside)

    def _inside(self, crop: Crop, _: Floats) -> Floats:
        """Blood, darkened or brightened where it whirls, and the thrombus."""
        whirl = grain(self.pattern, crop.shape, 0.7 * mean(self.radii))
        scaled = crop.away / np.array(self.radii, dtype=np.float32)[:, None, None, None]
        height = np.tensordot(np.array(self.side, dtype=np.float32), scaled, axes=1) - self.level
        clot = step((height + 0.12 * whirl) / 0.3)
        layers = self.clot * (1 + 0.12 * np.sin(9 * height))
        blood = self.intensity * (1 + 0.08 * whirl) + 0.015 * np.abs(whirl)
        return (blood + clot * (layers - blood)).astype(np.float32)


CANDIDATES = 6  # vessels of which the lowest is taken


def _vessel(rng: np.random.Generator, scene: Scene) -> Voxel:
    """The lowest of a few voxels of vessels, where the arteries of the circle of Willis are."""
    names = ("vessels",) if scene.tissue("vessels").any() else ("csf",)
    return min((where_in(rng, scene, names, 0) for _ in range(CANDIDATES)), key=lambda voxel: voxel[2])


def _values(crop: Crop) -> tuple[float, float]:
    """Blood and clot. In T2 flow is black; in T1 as in this person's own vessels."""
    grey, white, vessel = (tissue(crop, name) for name in ("grey", "white", "vessels"))
    if modality(crop.scene) == "t2":
        return 0.12 * grey, 0.8 * grey
    bright = vessel > 0.75 * white
    return (1.08 * white, 0.8 * grey) if bright else (0.12 * grey, 0.85 * grey)
