"""A corruption: a piece from elsewhere in the scan, or of another person, pasted over the anatomy."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from datasets.anomalies.regions import Triple, Waves, draw_lumps, draw_radii, lively, region_box, share_of
from datasets.anomalies.scene import (
    EVERYWHERE,
    Category,
    Difficulty,
    Floats,
    Group,
    Scene,
    Voxel,
    graded,
    place,
)


@dataclass(frozen=True)
class CopyPaste:
    """Lengths in voxels, intensities in the image's units.

    The voxel at `source` of the scan (of the donor if `foreign`) comes to lie at `centre`. `shift` is added
    to what is pasted; `softness` is the feather's width as a share of the radius, `opacity` the share of the
    host that is covered.
    """

    name: ClassVar[str] = "copy-paste"
    category: ClassVar[Category] = "local"
    group: ClassVar[Group] = "corruptions"
    populations: ClassVar[tuple[str, ...]] = EVERYWHERE
    needs_donor: ClassVar[bool] = True
    centre: Voxel
    source: Voxel
    foreign: bool
    radii: Triple
    lumps: Waves
    softness: float
    opacity: float
    shift: float

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """Radii of about 14, 11 or 8 % of the shortest side; the harder, the closer in mean to the host."""
        subject, foreign = scene.subject, bool(rng.random() < 0.5)
        giver = scene.donor if foreign and scene.donor is not None else subject
        share = graded(difficulty, (0.12, 0.16), (0.09, 0.12), (0.065, 0.09))
        opacity = graded(difficulty, (0.95, 1.0), (0.8, 0.9), (0.5, 0.7))
        alike = graded(difficulty, 0.0, 0.5, 1.0)
        radii = draw_radii(rng, subject.image.shape, share)
        reach = round(max(radii))
        centre, source = lively(rng, scene, reach), place(rng, giver.foreground, reach)
        here, there = (
            float(image[region_box(voxel, radii, image.shape)].mean())
            for image, voxel in ((subject.image, centre), (giver.image, source))
        )
        return cls(
            centre=centre,
            source=source,
            foreign=giver is not subject,
            radii=radii,
            lumps=draw_lumps(rng, radii),
            softness=float(rng.uniform(0.2, 0.4)),
            opacity=float(rng.uniform(*opacity)),
            shift=alike * (here - there),
        )

    def apply(self, scene: Scene) -> Floats:
        if self.foreign and scene.donor is None:
            raise ValueError("a piece of another person needs a donor")
        giver = scene.donor if self.foreign and scene.donor is not None else scene.subject
        return pasted(scene.subject.image, giver.image, self)


def pasted(image: Floats, giver: Floats, piece: CopyPaste) -> Floats:
    """`image` with the piece of `giver` in it; beyond the giver's border its last voxels go on."""
    result = image.copy()
    box = region_box(piece.centre, piece.radii, image.shape)
    lines = [
        np.clip(np.arange(part.start, part.stop) + s - c, 0, n - 1)
        for part, s, c, n in zip(box, piece.source, piece.centre, giver.shape, strict=True)
    ]
    taken = np.clip(giver[np.ix_(*lines)] + np.float32(piece.shift), 0, 1)
    share = share_of(box, piece.centre, piece.radii, piece.lumps, piece.softness)
    result[box] += np.float32(piece.opacity) * share * (taken - result[box])
    return result
