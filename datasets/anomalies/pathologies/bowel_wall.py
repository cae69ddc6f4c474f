"""A thickened wall of the colon, as in cancer or inflammation, with strands in the fat around it."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from datasets.anomalies.lesions import Crop, grain, has_labels, mean, millimetres, seed, step, where_in
from datasets.anomalies.regions import Triple, depth_in
from datasets.anomalies.scene import Category, Difficulty, Floats, Group, Scene, Voxel, graded, place
from datasets.anomalies.shades import enhanced, hounsfield


@dataclass(frozen=True)
class BowelWall:
    """The wall swells within `radii` (voxels) of `centre`, most in the middle: by `inwards` and `outwards`
    millimetres, more or less by `unevenness` of that. `intensity` of the wall and `fluid`, of its swollen
    middle layer and of the strands around it, are in the image's units; `layered`, 0 to 1, is how much that
    layer shows; `opacity`; `pattern` draws the unevenness.
    """

    name: ClassVar[str] = "bowel-wall"
    category: ClassVar[Category] = "local"
    group: ClassVar[Group] = "pathologies"
    populations: ClassVar[tuple[str, ...]] = ("abdomen",)
    needs_donor: ClassVar[bool] = False
    centre: Voxel
    radii: Triple
    inwards: float
    outwards: float
    unevenness: float
    intensity: float
    fluid: float
    layered: float
    opacity: float
    pattern: int

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """By about 14, 9 or 7 mm over a stretch of about 70, 55 or 40 mm."""
        radii = millimetres(rng, scene, graded(difficulty, (32, 42), (24, 32), (18, 24)), 0.1)
        x, y, z = (max(r, FEWEST) for r in radii)
        thick = float(rng.uniform(*graded(difficulty, (11, 17), (7, 11), (5.5, 8))))
        thick = max(thick, graded(difficulty, 2.2, 2.0, 1.9) * float(np.mean(scene.subject.spacing_mm)))
        share = float(rng.uniform(0.35, 0.65))
        return cls(
            centre=_at_lumen(rng, scene),
            radii=(x, y, z),
            inwards=share * thick,
            outwards=(1 - share) * thick,
            unevenness=float(rng.uniform(0.25, 0.5)),
            intensity=hounsfield(scene, 42 + float(rng.uniform(30, 65)) * enhanced(scene)),
            fluid=hounsfield(scene, float(rng.uniform(0, 20))),
            layered=float(rng.choice([0.0, 0.0, 0.5, 0.8])),
            opacity=float(rng.uniform(*graded(difficulty, (0.97, 1.0), (0.85, 0.97), (0.55, 0.75)))),
            pattern=seed(rng),
        )

    def apply(self, scene: Scene) -> Floats:
        crop = Crop.around(scene, self.centre, 1.1 * max(self.radii))
        start = tuple(c - part.start for c, part in zip(self.centre, crop.box, strict=True))
        lumen = connected(lumen_of(crop), start)
        if not lumen.any() or lumen.all():
            return scene.subject.image.copy()
        spacing = scene.subject.spacing_mm
        out = ndimage.distance_transform_edt(~lumen, spacing) - ndimage.distance_transform_edt(lumen, spacing)
        uneven = np.clip(grain(self.pattern, crop.shape, 0.35 * mean(self.radii)), -2, 2)
        near = step(1.6 * (1 - depth_in(crop.away, self.radii)))
        swell = near * (1 + self.unevenness * uneven)
        values = self._strands(
            crop, crop.image, (out - WALL - self.outwards * swell).astype(np.float32), near
        )
        blur = float(np.mean(spacing))
        inner, outer = out + self.inwards * swell, WALL + self.outwards * swell - out
        within = step((np.minimum(inner, outer) / blur + 0.5).astype(np.float32))
        middle = self.layered * step((np.minimum(inner, outer) / 1.5 - 1.6).astype(np.float32))
        target = self.intensity * (1 + 0.05 * uneven) + middle * (self.fluid - self.intensity)
        share = self.opacity * within * step(6 * near) * crop.freedom(1.0)
        return crop.replaced(values + share * (target - values))

    def _strands(self, crop: Crop, values: Floats, beyond: Floats, near: Floats) -> Floats:
        """Fat next to the wall soaks in streaks."""
        streaks = step(0.2 + 0.7 * grain(self.pattern + 1, crop.shape, 0.12 * mean(self.radii) + 0.6))
        reach = max(1.2 * self.outwards, 2.0)
        share = 0.6 * self.opacity * near * streaks * np.exp(-np.maximum(beyond, 0) / reach)
        soaked: Floats = values + share * crop.share("fat") * np.maximum(self.fluid - values, 0)
        return soaked


FEWEST = 4.0  # voxels that a swollen stretch takes at least to both sides
WALL = 2.0  # millimetres that a healthy wall is thick
HOLLOW = 0.55  # share of the grey value of fat below which bowel holds gas


def _at_lumen(rng: np.random.Generator, scene: Scene) -> Voxel:
    """In gas or fluid of the colon; where labels are not known, in whatever is as dark as gas in the body."""
    if has_labels(scene):
        return where_in(rng, scene, ("colon-gas", "colon-fluid"), 2)
    hollow = (scene.subject.image < gas_below(scene)) & scene.subject.foreground
    return place(rng, hollow if hollow.any() else scene.subject.foreground, 2)


def gas_below(scene: Scene) -> float:
    return HOLLOW * hounsfield(scene, -100)


def lumen_of(crop: Crop) -> NDArray[np.bool_]:
    """Where the colon is hollow."""
    if has_labels(crop.scene):
        return crop.inside("colon-gas", "colon-fluid")
    dark: NDArray[np.bool_] = (crop.image < gas_below(crop.scene)) & crop.scene.subject.foreground[crop.box]
    return dark


def connected(where: NDArray[np.bool_], start: tuple[int, ...]) -> NDArray[np.bool_]:
    """The part of `where` that the voxel `start` belongs to; all of it if it belongs to none."""
    parts, _ = ndimage.label(where)
    part: NDArray[np.bool_] = parts == parts[start] if parts[start] else where
    return part
