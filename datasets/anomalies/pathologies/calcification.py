"""A calcified mass: popcorn of dense lime, or a shell of it; black in magnetic resonance, white in CT."""

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
from datasets.anomalies.scene import EVERYWHERE, Category, Difficulty, Floats, Group, Scene, Voxel, graded
from datasets.anomalies.shades import hounsfield, modality, tissue


@dataclass(frozen=True)
class Calcification:
    """`radii` in voxels, `lumpiness` and `form` of the outline; `matrix` and `lime` are grey values in the
    image's units, of what lies between and of the lime; `shell` is how much of the lime sits in a shell, 0
    to 1; `opacity`; `pattern` draws the lumps of lime.
    """

    name: ClassVar[str] = "calcification"
    category: ClassVar[Category] = "local"
    group: ClassVar[Group] = "pathologies"
    populations: ClassVar[tuple[str, ...]] = EVERYWHERE
    needs_donor: ClassVar[bool] = False
    centre: Voxel
    radii: Triple
    form: int
    lumpiness: float
    matrix: float
    lime: float
    shell: float
    opacity: float
    pattern: int

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """About 9, 6 or 4.5 mm in radius in the brain, half as much again in the abdomen."""
        brain = modality(scene) != "ct"
        factor = 1.0 if brain else 1.6
        low, high = graded(difficulty, (7.5, 11), (5, 7.5), (4, 5.5))
        radii = millimetres(rng, scene, (factor * low, factor * high), 0.3)
        centre = where_in(rng, scene, ("grey", "white") if brain else PLACES, 0.7 * mean(radii))
        matrix, lime = _values(Crop.around(scene, centre, 2 * max(radii)), float(rng.random()))
        return cls(
            centre=centre,
            radii=radii,
            form=seed(rng),
            lumpiness=float(rng.uniform(0.18, 0.32)),
            matrix=matrix,
            lime=lime,
            shell=float(rng.choice([0.0, 0.4, 0.8])),
            opacity=float(rng.uniform(*graded(difficulty, (0.9, 1.0), (0.6, 0.8), (0.18, 0.3)))),
            pattern=seed(rng),
        )

    def apply(self, scene: Scene) -> Floats:
        crop = Crop.around(scene, self.centre, 1.7 * max(self.radii))
        depth = lumpy_depth(crop, self.radii, self.form, self.lumpiness)
        popcorn = step(0.6 + 0.5 * grain(self.pattern, crop.shape, 0.5 * mean(self.radii)))
        shell = ridge(depth, 0.8, max(0.22, 1.0 / mean(self.radii)))
        lime = np.clip((1 - self.shell) * popcorn + self.shell * shell * (0.7 + 0.3 * popcorn), 0, 1)
        target = self.matrix + lime * (self.lime - self.matrix)
        share = self.opacity * covered(depth, self.radii, 1.4) * crop.freedom(1.5)
        return crop.replaced(crop.image + share * (target - crop.image))


PLACES = ("liver", "spleen", "pancreas", "kidneys", "reproductive", "fat")


def _values(crop: Crop, density: float) -> tuple[float, float]:
    if modality(crop.scene) == "ct":
        return hounsfield(crop.scene, 70), hounsfield(crop.scene, 300 + 500 * density)
    grey, csf = tissue(crop, "grey"), tissue(crop, "csf")
    return 0.75 * grey, (0.3 - 0.2 * density) * min(grey, csf) + 0.02
