"""An aneurysm of the abdominal aorta: a bulge forwards, lined with clot, with lime in its wall."""

from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from datasets.anomalies.lesions import (
    Crop,
    apart,
    come_from,
    grain,
    has_labels,
    moved,
    pushed_from,
    seed,
    step,
)
from datasets.anomalies.scene import Category, Difficulty, Floats, Group, Scene, Voxel, graded, place
from datasets.anomalies.shades import enhanced, hounsfield


@dataclass(frozen=True)
class AorticAneurysm:
    """The wall is `radius` mm from the vessel's axis, and `radius` plus `bulge` at `centre`, falling off over
    `length` mm along z; the sac's axis moves by `forwards` mm along y and by `sideways` along x. `blood`,
    `clot` and `lime` are grey values in the image's units; blood fills `lumen` of the sac's radius;
    `opacity`; `pattern` draws where in the wall the lime is, on about the share `crusted` of it.
    """

    name: ClassVar[str] = "aortic-aneurysm"
    category: ClassVar[Category] = "local"
    group: ClassVar[Group] = "pathologies"
    populations: ClassVar[tuple[str, ...]] = ("abdomen",)
    needs_donor: ClassVar[bool] = False
    centre: Voxel
    radius: float
    bulge: float
    length: float
    forwards: float
    sideways: float
    blood: float
    clot: float
    lime: float
    lumen: float
    crusted: float
    opacity: float
    pattern: int

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """A bulge of about 17, 11 or 6 mm in radius."""
        bulge = float(rng.uniform(*graded(difficulty, (14, 21), (9, 13), (5.5, 8))))
        medium = enhanced(scene)
        clot, size = (
            hounsfield(scene, float(rng.uniform(28, 45))),
            bulge / float(np.mean(scene.subject.spacing_mm)),
        )
        found = _below_kidneys(rng, scene, graded(difficulty, 6, 3, 1))
        return cls(
            centre=max(found, key=lambda centre: apart(scene, centre, size, clot)),
            radius=float(rng.uniform(8.5, 10.5)),
            bulge=bulge,
            length=float(rng.uniform(1.3, 2.0)) * bulge + 8,
            forwards=float(rng.uniform(0.6, 0.95)) * bulge,
            sideways=float(rng.uniform(-0.4, 0.4)) * bulge,
            blood=hounsfield(scene, 42 + 115 * medium),
            clot=clot,
            lime=hounsfield(scene, float(rng.uniform(350, 800))),
            lumen=float(rng.uniform(0.45, 0.8)),
            crusted=float(rng.uniform(*graded(difficulty, (0.3, 0.55), (0.2, 0.4), (0.0, 0.2)))),
            opacity=float(rng.uniform(*graded(difficulty, (1.0, 1.0), (0.9, 1.0), (0.5, 0.7)))),
            pattern=seed(rng),
        )

    def apply(self, scene: Scene) -> Floats:
        spacing = np.array(scene.subject.spacing_mm, dtype=np.float32)
        reach = (REACH * (self.radius + self.bulge) + self.bulge) / float(spacing[:2].min())
        crop = Crop.around(scene, self.centre, reach, 2 * self.length / float(spacing[2]))
        bump = np.exp(-((crop.away[2] * spacing[2] / np.float32(self.length)) ** 2))
        across = self._across(crop, bump)
        wall = self.radius + self.bulge * bump
        depth = np.sqrt((across**2).sum(axis=0)) / wall
        freedom = crop.freedom(2.0) * step((bump - 0.03) * 4)
        flat = np.concatenate([across / spacing[:2, None, None, None], 0 * across[:1]])
        factor = pushed_from(depth, 0.9, REACH)
        values = moved(crop.image, come_from(replace(crop, away=flat), factor, freedom * step(bump)), order=3)
        blur = float(spacing.mean()) / wall
        share = self.opacity * freedom * step((1 - depth) / blur + 0.5)
        return crop.replaced(values + share * (self._inside(crop, depth, blur) - values))

    def _across(self, crop: Crop, bump: Floats) -> Floats:
        """Millimetres from the axis of vessel and sac, (2, x, y, z)."""
        x, y = axis_of(crop, self.centre)
        spacing = crop.scene.subject.spacing_mm
        right = (crop.away[0] - x) * spacing[0] - self.sideways * bump
        ahead = (crop.away[1] - y) * spacing[1] - self.forwards * bump
        return np.stack([right, ahead]).astype(np.float32)

    def _inside(self, crop: Crop, depth: Floats, blur: Floats) -> Floats:
        """Blood in the middle, clot around it, lime in the wall."""
        uneven = grain(self.pattern, crop.shape, 7 / float(np.mean(crop.scene.subject.spacing_mm)))
        edge = (self.lumen + 0.08 * uneven - depth) / blur
        value = self.clot * (1 + 0.05 * uneven) + step(edge + 0.5) * (self.blood - self.clot)
        at_wall = np.exp(-(((depth - 0.95) / np.maximum(0.5 * blur, 0.05)) ** 2))
        lime = at_wall * step((grain(self.pattern + 1, crop.shape, 9) - 1 + 2 * self.crusted) / 0.5)
        value = value + 0.8 * lime * (self.lime - value)
        inside: Floats = value.astype(np.float32)
        return inside


REACH = 1.5  # sac radii


def axis_of(crop: Crop, centre: Voxel) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """How far the aorta's axis runs from `centre` along x and y, in voxels, for each plane of z."""
    found = crop.inside("aorta")
    planes = np.arange(crop.shape[2])
    counts = found.sum(axis=(0, 1))
    seen = planes[counts > 0]
    if not has_labels(crop.scene) or len(seen) < 2:
        return np.zeros(len(planes), np.float32), np.zeros(len(planes), np.float32)
    lines = []
    for axis in (0, 1):
        sums = np.where(found, crop.away[axis], 0).sum(axis=(0, 1))
        line = np.polynomial.Polynomial.fit(
            seen, sums[seen] / counts[seen], min(2, len(seen) - 1), w=counts[seen]
        )
        lines.append(line(np.clip(planes, seen[0], seen[-1])).astype(np.float32))
    return lines[0], lines[1]


def _below_kidneys(rng: np.random.Generator, scene: Scene, tries: int) -> list[Voxel]:
    """Places in the lower half of the aorta in the belly, away from where it divides."""
    aorta = scene.tissue("aorta")
    heights = np.flatnonzero(aorta.any(axis=(0, 1)))
    if not heights.size:
        return [place(rng, scene.subject.foreground, round(0.08 * min(aorta.shape))) for _ in range(tries)]
    low, high = (int(height) for height in np.quantile(heights, [0.12, 0.42]))
    flat = np.argwhere(aorta[:, :, low : high + 1])
    return [(int(x), int(y), int(z) + low) for x, y, z in rng.choice(flat, tries)]
