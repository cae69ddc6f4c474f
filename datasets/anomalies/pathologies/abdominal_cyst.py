"""A large cyst with a thin wall and, at times, septa or a dense bottom, in an organ or in the fat between."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from datasets.anomalies.lesions import (
    Crop,
    apart,
    grain,
    grown,
    labelled,
    mean,
    millimetres,
    ridge,
    seed,
    where_in,
)
from datasets.anomalies.regions import Triple
from datasets.anomalies.scene import Category, Difficulty, Floats, Group, Scene, Voxel, box_around, graded
from datasets.anomalies.shades import hounsfield


@dataclass(frozen=True)
class AbdominalCyst:
    """`radii` in voxels, `lumpiness` and `form` of the outline; `intensity` of the fluid and `wall` of wall
    and septa in the image's units; `thickness` of both in voxels; `septa`: how many; `opacity`; `kept` and
    `reach` of the mass effect as in `lesions.pushed_from`; `pattern` draws the septa.
    """

    name: ClassVar[str] = "abdominal-cyst"
    category: ClassVar[Category] = "local"
    group: ClassVar[Group] = "pathologies"
    populations: ClassVar[tuple[str, ...]] = ("abdomen",)
    needs_donor: ClassVar[bool] = False
    centre: Voxel
    radii: Triple
    form: int
    lumpiness: float
    intensity: float
    wall: float
    thickness: float
    septa: int
    opacity: float
    kept: float
    reach: float
    pattern: int

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """About 23, 16 or 12 mm in radius: larger than those that many healthy people have."""
        radii = millimetres(rng, scene, graded(difficulty, (19, 28), (14, 19), (11, 14)), 0.12)
        spacing = float(np.mean(scene.subject.spacing_mm))
        fluid = hounsfield(scene, float(rng.uniform(0, 22)))
        places = graded(difficulty, FAT, ORGANS + FAT, ORGANS + FAT)
        drawn = [
            where_in(rng, scene, places[int(rng.integers(len(places)))], 0.6 * mean(radii))
            for _ in range(graded(difficulty, 24, 8, 4))
        ]
        found = [place for place in drawn if _in_the_cavity(scene, place, 2 * mean(radii))] or drawn
        return cls(
            centre=max(found, key=lambda centre: apart(scene, centre, 0.6 * mean(radii), fluid)),
            radii=radii,
            form=seed(rng),
            lumpiness=float(rng.uniform(0.02, 0.06)),
            intensity=fluid,
            wall=hounsfield(scene, float(rng.uniform(*graded(difficulty, (80, 350), (60, 160), (45, 90))))),
            thickness=max(float(rng.uniform(1.2, 2.5)) / spacing, 0.7),
            septa=int(rng.choice([0, 0, 2, 4])),
            opacity=float(rng.uniform(*graded(difficulty, (0.97, 1.0), (0.75, 0.9), (0.35, 0.5)))),
            kept=float(rng.uniform(0.5, 0.8)),
            reach=float(rng.uniform(1.6, 2.1)),
            pattern=seed(rng),
        )

    def apply(self, scene: Scene) -> Floats:
        return grown(scene, self, 1.2, self._inside)

    def _inside(self, crop: Crop, depth: Floats) -> Floats:
        thin = self.thickness / mean(self.radii)
        solid = ridge(depth, 1 - thin, thin)
        for number in range(self.septa):
            sheet = grain(self.pattern + number, crop.shape, 1.6 * mean(self.radii))
            solid = np.maximum(solid, 0.8 * ridge(sheet, 0.0, 1.3 * thin))
        inside: Floats = self.intensity + solid * np.float32(self.wall - self.intensity)
        return inside


def _in_the_cavity(scene: Scene, place: Voxel, reach: float) -> bool:
    """Whether organs are around: there is fat below the skin, too."""
    box = box_around(place, max(round(reach), 1), scene.subject.image.shape)
    return bool(labelled(scene, box, *VISCERA).mean() > AMONG)


AMONG = 0.25  # share of organs around a place in the cavity
VISCERA = (
    "liver",
    "spleen",
    "pancreas",
    "kidneys",
    "stomach",
    "small-bowel",
    "colon-gas",
    "colon-fluid",
    "bladder",
)
ORGANS = (("pancreas",), ("spleen",), ("liver",), ("kidneys",), ("reproductive", "bladder"))
FAT = (("fat", "small-bowel"), ("fat",))  # where fluid stands out most
