"""Heart and great vessels, the vessels of mesentery and lungs, and what healthy elderly people have besides.

Aorta 15 to 25 mm, vena cava 15 to 28 mm in diameter (Standring, Gray's Anatomy).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from datasets.kernels import solids
from datasets.populations.abdomen_bowel import Bowel
from datasets.populations.abdomen_person import Person
from datasets.populations.abdomen_tissues import LABELS
from datasets.populations.shapes import (
    Composition,
    Layer,
    Part,
    Point,
    beside,
    capsule,
    ellipsoid,
    smooth_path,
    tube,
)

Place = NDArray[np.float64]


class Vessels:
    """One person's vessels."""

    def __init__(
        self,
        rng: np.random.Generator,
        person: Person,
        body: Composition,
        spine: Callable[[float], Place],
    ):
        self.rng, self.person, self.body = rng, person, body
        self.width = 8.6 * person.size * (1 + 0.004 * (person.age - 60)) * rng.uniform(0.93, 1.1)
        bend = rng.normal(0, 2.5)
        heights = (-64, -40, -10, 20, 50, 80, 120, 170, 240)
        self.aorta = smooth_path(
            [beside(spine(z), -12 + bend * np.sin(z / 40), 28 - 0.02 * max(z - 60, 0), 0) for z in heights], 3
        )
        side = np.interp(heights, [-64, 60, 130, 240], [17, 21, 24, 26])
        self.cava = smooth_path(
            [
                beside(spine(z), x, 24 + 10 * np.clip((z - 40) / 80, 0, 1), 0)
                for z, x in zip(heights, side, strict=True)
            ],
            3,
        )

    def radii(self) -> Place:
        """Of the aorta; a condition widens it below the renal arteries, most in the middle."""
        z = self.aorta[:, 2] / self.person.height
        normal = self.width * np.interp(z, [-64, 30, 60, 240], [0.90, 0.98, 1.1, 1.3])
        wide: Place = normal * (1 + (self.person.condition["aorta"] - 1) * np.exp(-(((z + 18) / 30) ** 2)))
        return wide

    def pack(self) -> None:
        t = self.person.tissues
        wall = Layer(t.muscle - 4, LABELS["aorta"])
        self.body.pack(
            tube(self.aorta, self.radii()), wall, Layer(t.artery, LABELS["aorta"], 1.3, 2),
            blend=2, gap=1.5, stiff=3, clip=solids.ANYWHERE,
        )  # fmt: skip
        girth = 10.5 * self.person.size * self.rng.uniform(0.85, 1.15)
        oval = [
            part
            for offset in (-3.0, 3.0)
            for part in tube(self.cava + np.array([offset, 0, 0]), np.full(len(self.cava), girth * 0.92))
        ]
        self.body.pack(
            oval, Layer(t.vein, LABELS["cava"], grain=2), blend=2, gap=1.0, stiff=3, clip=solids.ANYWHERE
        )
        self._iliac()

    def _iliac(self) -> None:
        t = self.person.tissues
        for side in (-1, 1):
            places = ((24, -22, -92), (46, -14, -122), (66, 20, -160), (76, 50, -205), (78, 52, -240))
            for root, radius, value, back in (
                (self.aorta[0], 5.6, t.artery, 0),
                (self.cava[0], 6.6, t.vein, -10),
            ):
                path = [root, *(self.person.at((side * x, y + back, z)) for x, y, z in places)]
                run = smooth_path(path, 3)
                self.body.pack(
                    tube(run, np.linspace(radius, radius * 0.75, len(run))), Layer(value, LABELS["vessel"]),
                    gap=1.0, stiff=3, clip=solids.WALL, margin=3,
                )  # fmt: skip

    def branches(self) -> None:
        """Coeliac and mesenteric trunks and the portal vein; under the organs they lead to."""
        t = self.person.tissues
        for value, radius, points in (
            (t.artery, 3.6, ((-8, -6, 62), (-4, 12, 66), (18, 16, 68), (34, 10, 66))),
            (t.artery, 2.8, ((-4, 12, 66), (-34, 2, 76), (-82, -28, 92))),
            (t.artery, 3.6, ((-8, -6, 50), (-2, 14, 36), (4, 18, 0), (18, 16, -50), (40, 10, -80))),
            (t.vein, 5.4, ((12, 14, -50), (14, 18, 0), (12, 10, 38), (22, 4, 54), (36, 8, 68))),
            (t.vein, 4.2, ((12, 8, 42), (-30, -2, 58), (-84, -30, 88))),
            (t.artery, 1.6, ((-8, -4, -18), (-30, 0, -60), (-34, -10, -110), (-6, -40, -150))),
        ):
            path = smooth_path([self.person.at(p) + self.rng.normal(0, 2, 3) for p in points], 3)
            self.body.paint(
                tube(path, np.linspace(radius, radius * 0.6, len(path))),
                Layer(value, LABELS["vessel"]),
                blend=1,
            )

    def mesentery(self, bowel: Bowel) -> None:
        """Arcades from the mesentery's root to the coils, and the vessels along the colon."""
        t = self.person.tissues
        parts: list[Part] = []
        for coil in bowel.coils:
            for _ in range(5):
                end = coil.path[int(self.rng.integers(len(coil.path)))]
                root = self.person.at((self.rng.uniform(-6, 18), self.rng.uniform(6, 18), 10))
                root[2] = 0.6 * end[2] + self.rng.uniform(-5, 15)
                bow = 0.5 * (root + end) + self.rng.normal(0, 8, 3)
                path = smooth_path([root, bow, end], 4)
                parts += tube(path, np.linspace(self.rng.uniform(1.3, 2.4), 0.8, len(path)))
        for bead, radius in zip(bowel.beads, bowel.radii, strict=True):
            inwards = self.person.at((0, 10, -10)) - bead
            start = (
                bead
                + inwards / max(float(np.linalg.norm(inwards)), 1) * radius * 1.9
                + self.rng.normal(0, 4, 3)
            )
            parts.append(capsule(start, bead + self.rng.normal(0, 6, 3), 1.1, 0.9))
        self.body.paint(
            parts, Layer(0.5 * (t.vein + t.muscle), LABELS["vessel"]), clip=solids.CAVITY, margin=4
        )
        strands = [self._strand() for _ in range(70)]
        self.body.paint(strands, Layer(t.vein, LABELS["vessel"]), clip=solids.CAVITY, margin=3)

    def _strand(self) -> Part:
        """A small vessel in the greater omentum or around the kidneys."""
        place = self.person.at(
            (
                self.rng.uniform(-85, 85),
                self.rng.choice([72, -45]) + self.rng.normal(0, 9),
                self.rng.uniform(-100, 60),
            )
        )
        return capsule(place, place + self.rng.normal(0, [8, 5, 16]), 1.0, 0.7)

    def chest(self) -> None:
        """Heart with its fat, and the vessels of the lower lobes."""
        t = self.person.tissues
        heart = [
            self._heart((-16, 24, 160), (58, 50, 56)),
            self._heart((-46, 36, 138), (46, 40, 36)),
            self._heart((8, 14, 178), (50, 46, 50)),
        ]
        fat, wall = (
            Layer(t.fat, LABELS["fat"], 0, 6),
            Layer(t.muscle + 25 * t.enhanced, LABELS["heart"], 4.5, 4),
        )
        blood = Layer(t.vein, LABELS["heart"], 15.0, 3)
        self.body.paint(heart, fat, wall, blood, blend=14, clip=solids.CHEST, margin=0.5)
        spine_side = ellipsoid(self.person.at((-2, -44, 190)), (36, 34, 150))
        self.body.paint([spine_side], Layer(t.fat + 60, LABELS["fat"], 0, 20), clip=solids.CHEST, margin=-1)
        behind = ellipsoid(self.person.at((0, -86, 190)), (48, 30, 190))
        self.body.paint([behind], Layer(t.muscle, LABELS["muscle"], 0, 9), clip=solids.CHEST, margin=-2)
        parts: list[Part] = []
        for side in (-1, 1):
            hilum = self.person.at((side * 34, -12, 240))
            for _ in range(64):
                end = self.person.at(
                    (side * self.rng.uniform(30, 118), self.rng.uniform(-75, 70), self.rng.uniform(30, 170))
                )
                path = smooth_path([hilum, 0.5 * (hilum + end) + self.rng.normal(0, 7, 3), end], 3)
                parts += tube(path, np.linspace(5.0, 0.9, len(path)))
        self.body.paint(parts, Layer(t.vein, LABELS["lung"]), clip=solids.CHEST, margin=4)

    def _heart(self, centre: Point, radii: Point) -> Part:
        return ellipsoid(
            beside(self.person.at(centre), 0, 0, self.person.dome),
            np.asarray(radii) * self.person.size,
            (0, 18, 12),
        )
