"""What people have besides tissue: vessels, and the harmless findings of every radiologist's day.

Painted into maps in the atlas's space, 1 mm, so that they bend with the brain. Positions are MNI millimetres.
How many there are is drawn before anything else about them, by the frequencies known of healthy people.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from datasets.kernels.brain import CALCIUM, CYST, EXTRAS, GLIOSIS, MM, RIM, VESSEL, WHITE
from datasets.populations.brain_atlas import Atlas

Bytes = NDArray[np.uint8]
Doubles = NDArray[np.float64]
Box = tuple[slice, slice, slice]
Point = tuple[float, float, float]

# Arteries and veins of one side or the middle, with their radius in mm.
PAIRED: Sequence[tuple[float, Sequence[Point]]] = (
    (2.0, ((11, 2, -20), (10, 4, -15), (13, 3, -15))),
    (
        1.5,
        ((13, 3, -15), (22, 4, -18), (32, 3, -17), (38, -1, -11), (41, -8, -2), (43, -18, 8), (46, -30, 16)),
    ),
    (1.2, ((38, -1, -11), (39, 8, -4), (38, 18, 4), (42, 24, 12))),
    (1.2, ((11, 4, -15), (4, 12, -14), (2, 26, -10), (2, 38, 2), (2, 38, 16), (2, 26, 26), (2, 8, 31))),
    (1.2, ((1, -17, -19), (9, -19, -15), (18, -26, -10), (20, -36, -6), (14, -52, 0), (9, -70, 6))),
    (1.3, ((9, -22, -62), (5, -21, -54), (0, -19, -45))),
    (0.9, ((2, 2, 14), (3, -10, 16), (3, -22, 15), (1, -34, 11))),
)
SINGLE: Sequence[tuple[float, Sequence[Point]]] = (
    (1.7, ((0, -19, -45), (0, -15, -34), (1, -16, -19))),
    (1.8, ((0, -34, 10), (0, -42, 14), (0, -50, 12), (0, -62, 6), (0, -74, 0))),
)


def extras(rng: np.random.Generator, atlas: Atlas, age: float) -> tuple[Bytes, dict[str, float]]:
    """Maps (x, y, z, channel) of shares, and how many of each harmless finding there are."""
    canvas = _Canvas(rng, atlas)
    canvas.vessels()
    found = {
        "perivascular_spaces": canvas.perivascular_spaces(age),
        "cysts": canvas.cysts(),
        "calcifications": canvas.calcifications(age),
        "white_matter_spots": canvas.spots(age),
    }
    return canvas.maps, {name: float(count) for name, count in found.items()}


class _Canvas:
    def __init__(self, rng: np.random.Generator, atlas: Atlas):
        self.rng, self.atlas = rng, atlas
        self.maps = np.zeros((*atlas.maps.shape[:3], EXTRAS), np.uint8)

    def vessels(self) -> None:
        for radius, path in PAIRED:
            for side in (-1, 1):
                points = np.array(path) * (side, 1, 1) + self.rng.normal(0, 1.3, (len(path), 3))
                self._artery(points, radius * self.rng.uniform(0.8, 1.15))
        for radius, path in SINGLE:
            self._artery(np.array(path) + self.rng.normal(0, 0.9, (len(path), 3)), radius)
        for _ in range(14):
            self._cortical_vein()

    def _artery(self, points: Doubles, radius: float) -> None:
        places = self.atlas.voxels(points)
        for start, stop in pairwise(places):
            self.tube(VESSEL, start, stop, radius, spare_white=True)

    def _cortical_vein(self) -> None:
        """From near the sagittal sinus down over the surface, within the outermost fluid."""
        side, place = self.rng.choice([-1, 1]), self.rng.uniform((4, -80, 45), (12, 50, 78))
        place = self._on_surface(self.atlas.voxels(place * (side, 1, 1)))
        way = np.array([side * 3.0, self.rng.normal(0, 1.2), -1.2])
        radius = self.rng.uniform(0.7, 1.2)
        for _ in range(int(self.rng.integers(6, 16))):
            way = way + self.rng.normal(0, 1.0, 3)
            after = self._on_surface(place + way)
            self.tube(VESSEL, place, after, radius, spare_white=True)
            place = after

    def _on_surface(self, place: Doubles) -> Doubles:
        """Moved along the depth's slope until about 1 mm under the surface."""
        depth = self.atlas.maps[..., RIM]
        outwards = place - self.atlas.centre
        outwards /= np.linalg.norm(outwards)
        for _ in range(40):
            index = tuple(np.clip(np.round(place).astype(int), 0, np.array(depth.shape) - 1))
            here = float(depth[index])
            if MM <= here <= 2 * MM:
                break
            place = place + outwards * (0.5 if here > 2 * MM else -0.5)
        return place

    def perivascular_spaces(self, age: float) -> int:
        low, high = int(self.rng.poisson(3 + age / 15)), int(self.rng.poisson(4 + age / 8))
        for _ in range(low):  # along the arteries that enter the basal ganglia from below
            side = self.rng.choice([-1, 1])
            place = self.rng.normal((24, 2, -5), (4, 5, 3)) * (side, 1, 1)
            self._slit(place, self.rng.normal((side * 1.0, 0, 5), 1.0), self.rng.uniform(0.5, 1.0))
        for _ in range(high):  # radiating through the white matter of the hemispheres
            side = self.rng.choice([-1, 1])
            place = self.rng.normal((27, -15, 30), (4, 22, 5)) * (side, 1, 1)
            self._slit(place, (place - (0, -15, 0)) * self.rng.uniform(0.12, 0.3), self.rng.uniform(0.3, 0.6))
        return low + high

    def _slit(self, middle: Doubles, half: Doubles, radius: float) -> None:
        ends = self.atlas.voxels(np.stack([middle - half / 2, middle + half / 2]))
        self.tube(CYST, ends[0], ends[1], radius)

    def cysts(self) -> int:
        """Cavum septi pellucidi, widened perivascular space, cyst of the choroid fissure or temporal pole."""
        side = self.rng.choice([-1, 1])
        possible = (
            (0.06, (0, 12, 7), (self.rng.uniform(1.2, 2.6), 9, 5)),
            (0.06, (side * 25, -2, -8), self.rng.uniform(2.0, 4.5, 3)),
            (0.05, (side * 27, -20, -14), self.rng.uniform(2.0, 4.0, 3)),
            (0.02, (side * 40, 16, -34), self.rng.uniform(5.0, 10.0, 3)),
        )
        chances = self.rng.random(len(possible))
        for (share, centre, radii), chance in zip(possible, chances, strict=True):
            jitter = self.rng.normal(0, 1.0, 3) * (0.2 if centre[0] == 0 else 1.0)
            if chance < share:
                self.ellipsoid(CYST, np.array(centre, float) + jitter, np.array(radii, float))
        return int(sum(chance < part[0] for part, chance in zip(possible, chances, strict=True)))

    def calcifications(self, age: float) -> int:
        """Pineal gland, plexus of either side, pallidum of the old, falx."""
        side = self.rng.choice([-1, 1])
        possible = (
            (0.35, (0, -29, 3), self.rng.uniform(1.2, 2.8, 3)),
            (0.20, (side * 22, -41, 9), self.rng.uniform(1.2, 2.8, 3)),
            (0.10, (-side * 22, -41, 9), self.rng.uniform(1.0, 2.5, 3)),
            (0.10 * (age > 55), (side * 20, -3, -1), self.rng.uniform(1.0, 2.2, 3)),
            (0.06, (0, 30, 50), (1.0, self.rng.uniform(3, 7), self.rng.uniform(2, 4))),
        )
        chances = self.rng.random(len(possible))
        for (share, centre, radii), chance in zip(possible, chances, strict=True):
            place = np.array(centre, float) + self.rng.normal(0, 0.7, 3)
            if chance < share:
                self.ellipsoid(CALCIUM, place, np.array(radii, float), most=0.9)
        return int(sum(chance < part[0] for part, chance in zip(possible, chances, strict=True)))

    def spots(self, age: float) -> int:
        """Small pale spots in the white matter, common in later life."""
        count = int(self.rng.poisson(max(age - 45, 0) / 6))
        for _ in range(count):
            side = self.rng.choice([-1, 1])
            centre = self.rng.normal((30, -10, 26), (6, 26, 9)) * (side, 1, 1)
            self.ellipsoid(GLIOSIS, centre, self.rng.uniform(0.9, 2.4, 3), most=0.8)
        return count

    def tube(
        self, channel: int, start: Doubles, stop: Doubles, radius: float, spare_white: bool = False
    ) -> None:
        """A capsule between two places in voxels; vessels run beside white matter, not through it."""
        box, places = self._box(np.minimum(start, stop) - radius - 1, np.maximum(start, stop) + radius + 2)
        axis = stop - start
        along = np.clip(((places - start) @ axis) / max(float(axis @ axis), 1e-6), 0, 1)
        far = np.linalg.norm(places - start - along[..., None] * axis, axis=-1)
        share = np.clip(radius - far + 0.5, 0, 1)
        if spare_white:
            share *= np.clip(1.4 - self.atlas.maps[box][..., WHITE] / 128, 0, 1)
        self._paint(channel, box, share)

    def ellipsoid(self, channel: int, centre_mm: Doubles, radii: Doubles, most: float = 1.0) -> None:
        centre = self.atlas.voxels(centre_mm)
        box, places = self._box(centre - radii - 1, centre + radii + 2)
        far = np.linalg.norm((places - centre) / radii, axis=-1)
        self._paint(channel, box, most * np.clip((1 - far) * float(radii.min()) + 0.5, 0, 1))

    def _box(self, low: Doubles, high: Doubles) -> tuple[Box, Doubles]:
        first = np.clip(np.floor(low).astype(int), 0, self.maps.shape[:3])
        last = np.clip(np.ceil(high).astype(int), first, self.maps.shape[:3])
        x, y, z = (slice(int(a), int(b)) for a, b in zip(first, last, strict=True))
        places: Doubles = np.stack(
            np.meshgrid(*(np.arange(b.start, b.stop) for b in (x, y, z)), indexing="ij"), -1
        )
        return (x, y, z), places.astype(np.float64)

    def _paint(self, channel: int, box: Box, share: Doubles) -> None:
        part = self.maps[box[0], box[1], box[2], channel]
        np.maximum(part, np.round(255 * share).astype(np.uint8), out=part)
