"""An infarct: a wedge from the cortex inwards, the territory of a branch, in grey and white matter."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from datasets.anomalies.lesions import Crop, grain, middle, outwards, seed, step
from datasets.anomalies.regions import Triple
from datasets.anomalies.scene import Category, Difficulty, Floats, Group, Scene, Voxel, graded
from datasets.anomalies.shades import modality, tissue


@dataclass(frozen=True)
class Infarct:
    """`centre` is the `apex` of the wedge plus half of `axis`, the way (in voxels) from its apex to the
    surface; `half_angle` of the cone in radians, cut along the unit vector `flat` by `flatness`;
    `intensity` in the image's units, `opacity`, and `swelling`, the share by which sulci in it are filled;
    `form` and `pattern` are seeds.
    """

    name: ClassVar[str] = "infarct"
    category: ClassVar[Category] = "local"
    group: ClassVar[Group] = "pathologies"
    populations: ClassVar[tuple[str, ...]] = ("brain",)
    needs_donor: ClassVar[bool] = False
    centre: Voxel
    axis: Triple
    half_angle: float
    flat: Triple
    flatness: float
    intensity: float
    opacity: float
    swelling: float
    form: int
    pattern: int

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """A wedge about 60, 45 or 32 % of the way inwards; old and dark, or fresh and faint."""
        foreground, spacing = scene.subject.foreground, np.array(scene.subject.spacing_mm)
        brain = scene.tissue("grey", "white")
        brain = brain if brain.any() else foreground
        heart = middle(brain)
        way = rng.normal((0, 0, 0.3), (1.0, 0.8, 0.4)) / spacing
        tip = np.asarray(outwards(brain, heart, way), dtype=np.float64)
        depth = float(rng.uniform(*graded(difficulty, (0.5, 0.65), (0.4, 0.5), (0.28, 0.38))))
        axis = depth * (tip - heart)
        centre = np.rint(tip - axis / 2).astype(int)
        x, y, z = (float(a) for a in axis)
        u, v, w = (float(a) for a in _across(rng, axis * spacing))
        crop = Crop.around(scene, (int(centre[0]), int(centre[1]), int(centre[2])), float(np.abs(axis).max()))
        return cls(
            centre=(int(centre[0]), int(centre[1]), int(centre[2])),
            axis=(x, y, z),
            half_angle=float(np.deg2rad(rng.uniform(*graded(difficulty, (24, 33), (20, 28), (17, 24))))),
            flat=(u, v, w),
            flatness=float(rng.uniform(0.6, 0.9)),
            intensity=_value(crop, float(rng.uniform(0, 1))),
            opacity=float(rng.uniform(*graded(difficulty, (0.85, 0.95), (0.6, 0.75), (0.3, 0.42)))),
            swelling=float(rng.uniform(*graded(difficulty, (0.4, 0.7), (0.2, 0.5), (0.0, 0.3)))),
            form=seed(rng),
            pattern=seed(rng),
        )

    def apply(self, scene: Scene) -> Floats:
        length = float(np.linalg.norm(np.multiply(self.axis, scene.subject.spacing_mm)))
        reach = 0.75 * length / min(scene.subject.spacing_mm)
        crop = Crop.around(scene, self.centre, reach)
        share = (
            self.territory(crop)
            * self.opacity
            * np.clip(crop.share("grey", "white") + self.swelling * crop.share("csf"), 0, 1)
        )
        coarse = 0.1 * length / float(np.mean(scene.subject.spacing_mm))
        target = self.intensity * (1 + 0.06 * grain(self.pattern, crop.shape, max(coarse, 1.5)))
        return crop.replaced(crop.image + share * (target - crop.image))

    def territory(self, crop: Crop) -> Floats:
        """How much each voxel of the crop is within the wedge, 0 to 1."""
        spacing = np.array(crop.scene.subject.spacing_mm, dtype=np.float32)
        axis = np.array(self.axis, dtype=np.float32) * spacing
        length = float(np.linalg.norm(axis))
        along_axis, flat = axis / length, np.array(self.flat, dtype=np.float32)
        from_apex = crop.away * spacing[:, None, None, None] + (axis / 2)[:, None, None, None]
        along = np.tensordot(along_axis, from_apex, axes=1)
        thin = np.tensordot(flat, from_apex, axes=1)
        wide = (from_apex**2).sum(axis=0) - along**2 - thin**2
        across = np.sqrt(np.maximum(wide, 0) + (thin / self.flatness) ** 2)
        ragged = grain(self.form, crop.shape, 0.22 * length / float(spacing.mean()))
        opening = np.tan(self.half_angle) * (1 + 0.18 * np.clip(ragged, -2, 2))
        edge = (np.maximum(along, 0) * opening + 0.05 * length - across) / (
            0.06 * length + float(spacing.mean())
        )
        end = np.minimum(along / (0.15 * length), (1.25 * length - along) / (0.1 * length))
        inside: Floats = step((edge + 0.5).astype(np.float32)) * step(end.astype(np.float32))
        return inside


def _across(rng: np.random.Generator, axis: NDArray[np.float64]) -> NDArray[np.float64]:
    """A unit vector at a right angle to the axis, mostly up: territories lie flat."""
    up = np.array([0.0, 0.0, 1.0]) + rng.normal(0, 0.3, 3)
    up -= axis * (up @ axis) / (axis @ axis)
    return up / max(float(np.linalg.norm(up)), 1e-6)


def _value(crop: Crop, age: float) -> float:
    """From fresh (0: swollen cells) to old (1: almost fluid)."""
    csf, grey = tissue(crop, "csf"), tissue(crop, "grey")
    if modality(crop.scene) == "t2":
        return grey + (0.5 + 0.35 * age) * (csf - grey)
    return grey - (0.2 + 0.5 * age) * (grey - csf)
