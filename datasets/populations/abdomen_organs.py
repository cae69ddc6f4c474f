"""Solid organs, stomach and bladder: packed into the cavity, where each makes room for its neighbours.

Sizes after Netter, Atlas of Human Anatomy, and organ weights in Standring, Gray's Anatomy: liver 1000 to 2000
ml, spleen 100 to 300 ml, a kidney 110 to 220 ml, pancreas 50 to 120 ml, gallbladder 15 to 60 ml.
"""

import numpy as np
from numpy.typing import NDArray

from datasets.kernels import solids
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
HEPATIC_VEINS = (48.0, 0.0, 128.0)  # the liver hangs from here
SPLENIC_HILUM = (-104.0, -44.0, 112.0)


class Organs:
    """One person's organs. `pack` shapes them, `details` paints what runs through them."""

    def __init__(self, rng: np.random.Generator, person: Person, body: Composition):
        self.rng, self.person, self.body = rng, person, body
        self.factors = np.exp(rng.normal(0, [0.045, 0.10, 0.04, 0.09, 0.12]))
        self.shift = rng.normal(0, [3, 3, 6])
        self.kidneys = [self._kidney(side) for side in (-1, 1)]

    def _near(self, point: Point, mm: float = 2.5) -> Place:
        moved: Place = self.person.at(point) + self.rng.normal(0, mm, 3) + self.shift * [0.4, 0.4, 0.6]
        return moved

    def _egg(
        self, centre: Point, radii: Point, turn: Point = (0, 0, 0), factor: float = 1.0, level: float = 0
    ) -> Part:
        size = (
            np.asarray(radii)
            * (self.person.scale + self.person.size)
            / 2
            * factor
            * self.rng.uniform(0.95, 1.05, 3)
        )
        tilt = np.asarray(turn) + self.rng.normal(0, 3, 3)
        return ellipsoid(self._near(centre), size, list(tilt), level)

    def pack(self) -> None:
        self._liver()
        self._gallbladder()
        self._spleen()
        self._stomach()
        self._pancreas_and_duodenum()
        for centre, radii, turn in self.kidneys:
            gap = 4 + 9 * self.person.visceral
            self.body.pack([ellipsoid(centre, radii, turn)], *self._renal(), gap=gap, stiff=2, margin=3)
            pad = ellipsoid(beside(centre, 4 * np.sign(centre[0]), -20, 16), (27, 21, 52))
            self.body.pack([pad], stiff=1)
        self._adrenals()
        self._pelvic()

    def _grown(self, point: Point, anchor: Point, organ: str) -> Place:
        """Where a part of an organ lies that grows away from its anchor."""
        factor = self.person.condition[organ] ** (1 / 3)
        place: Place = np.asarray(anchor, dtype=float) + np.subtract(point, anchor) * factor
        return place

    def _liver(self) -> None:
        enlarged = self.person.condition["liver"]
        factor = self.factors[0] * enlarged ** (1 / 3)
        tissue = Layer(self.person.tissues.liver, LABELS["liver"], grain=3.5)
        lobes = [
            self._egg(self._grown(centre, HEPATIC_VEINS, "liver"), radii, turn, factor)
            for centre, radii, turn in (
                ((72, -2, 82), (64, 76, 78), (0, 10, -8)),
                ((88, -8, 34), (38, 56, 52), (0, -6, 0)),
                ((34, 26, 104), (58, 54, 40), (8, 10, 0)),
                ((-14, 44, 102), (52, 36, 30), (10, 12, -8)),
                ((24, -14, 88), (22, 20, 34), (0, 0, 0)),
            )
        ]
        self.body.pack(lobes, tissue, blend=16, margin=2.2, gap=1.6, stiff=1 if enlarged > 1 else 0)

    def _gallbladder(self) -> None:
        size = self.factors[3]
        bile = Layer(
            self.person.tissues.fluid + self.rng.uniform(-4, 10), LABELS["gallbladder"], inset=1.4, grain=1.5
        )
        wall = Layer(self.person.tissues.bowel, LABELS["gallbladder"])
        start, stop = self._near((40, 22, 56)), self._near((50, 46, 34))
        self.gallbladder = capsule(start, stop, 8.0 * size, 17.0 * size)
        self.fundus = stop
        self.body.pack([self.gallbladder], wall, bile, gap=0.5, stiff=1)

    def _spleen(self) -> None:
        factor = self.factors[1] * self.person.condition["spleen"] ** (1 / 3)
        tissue = Layer(self.person.tissues.spleen, LABELS["spleen"], grain=3)
        parts = [
            self._egg(
                self._grown((-96, -32, 88), SPLENIC_HILUM, "spleen"), (34, 52, 56), (0, -8, -18), factor
            ),
            self._egg(
                self._grown((-88, -42, 74), SPLENIC_HILUM, "spleen"), (28, 38, 42), (0, -6, -25), factor
            ),
        ]
        self.body.pack(parts, tissue, blend=10, margin=2.2, gap=2.0, stiff=1)

    def _stomach(self) -> None:
        t = self.person.tissues
        points = (
            (-54, -14, 122),
            (-62, 2, 106),
            (-68, 20, 84),
            (-60, 40, 64),
            (-32, 52, 50),
            (-4, 46, 46),
            (16, 32, 44),
        )
        path = smooth_path([self._near(p) for p in points], 3)
        full = self.rng.uniform(0.62, 1.0)
        radii = np.interp(np.linspace(0, 6, len(path)), range(7), [24, 33, 33, 29, 23, 18, 11]) * full
        heights = self.person.upwards * path[:, 1]
        level = float(np.quantile(heights, 0.5) + self.rng.uniform(-12, 22))
        parts = [
            capsule(a, b, r, q, level) for a, b, r, q in zip(path, path[1:], radii, radii[1:], strict=False)
        ]
        wall = Layer(t.bowel, LABELS["stomach"], grain=4)
        content = Layer(
            float(self.rng.choice([12.0, 25.0, 120.0])), LABELS["stomach"], 4.0, 9, (t.gas, LABELS["stomach"])
        )
        self.body.pack(parts, wall, content, blend=6, gap=2)

    def _pancreas_and_duodenum(self) -> None:
        t = self.person.tissues
        course = ((30, 2, 20), (28, 8, 36), (12, 14, 44), (-20, 8, 52), (-48, -10, 62), (-74, -20, 72))
        path = smooth_path([self._near(p) for p in course], 4)
        radii = np.interp(np.linspace(0, 5, len(path)), range(6), [15, 16, 12, 13, 12.5, 9]) * self.factors[4]
        lobules = 1 + 0.13 * self.rng.normal(0, 1, len(path))
        tissue = Layer(t.pancreas, LABELS["pancreas"], grain=8 + 10 * self.person.visceral)
        self.body.pack(tube(path, radii * np.clip(lobules, 0.7, 1.3)), tissue, blend=3, gap=2, stiff=1)
        loop = (
            (22, 32, 44),
            (40, 18, 44),
            (46, -6, 24),
            (44, -8, -8),
            (24, -4, -22),
            (-8, 6, -18),
            (-28, 12, 8),
        )
        duct = smooth_path([self._near(p) for p in loop], 3)
        wall = Layer(t.bowel, LABELS["small-bowel"], grain=5)
        content = Layer(t.fluid + 14, LABELS["small-bowel"], 2.8, 8)
        self.body.pack(tube(duct, [11.5] * len(duct)), wall, content, blend=3, gap=1.5, kin=3)

    def _kidney(self, side: int) -> tuple[Place, Place, list[float]]:
        factor = self.factors[2] * self.person.condition["kidneys"] ** (1 / 3)
        centre = self._near((side * 66, -38, 20 - 8 * side), 3.0)
        radii = np.array([28.5, 26.5, 55]) * self.person.size * factor * self.rng.uniform(0.96, 1.04, 3)
        return centre, radii, [8 + float(self.rng.normal(0, 3)), side * 11.0, side * 28.0]

    def _renal(self) -> tuple[Layer, ...]:
        t = self.person.tissues
        return (
            Layer(t.cortex, LABELS["kidneys"], grain=3),
            Layer(0.55 * t.kidney + 0.45 * t.cortex, LABELS["kidneys"], inset=4.4, grain=6),
        )

    def _adrenals(self) -> None:
        tissue = Layer(self.person.tissues.pancreas, LABELS["adrenals"])
        for side, z in ((-1, 74), (1, 82)):
            top = self._near((side * 38, -34, z), 1.5)
            limbs = [beside(top, side * 8, -16, -8), beside(top, -side * 4, -18, -8)]
            self.body.pack([capsule(top, limb, 3.2, 2.4) for limb in limbs], tissue, blend=2, gap=2)

    def _pelvic(self) -> None:
        """Bladder, and prostate or uterus with ovaries."""
        t = self.person.tissues
        filled = self.rng.uniform(0.75, 1.15)
        wall = Layer(t.bowel, LABELS["bladder"])
        urine = Layer(t.urine, LABELS["bladder"], inset=3.0, grain=1.5)
        bladder = self._egg((0, 28, -182), (36, 27, 27), (0, 0, 0), filled)
        self.body.pack([bladder], wall, urine, gap=2, stiff=1, margin=1)
        organ = Layer(t.muscle + 18 * t.enhanced, LABELS["reproductive"], grain=6)
        gland = self._egg((0, 2, -208), (24, 18, 20))
        womb = [self._egg((4, -4, -168), (27, 21, 22), (25, 0, 0)), self._egg((0, -14, -194), (17, 15, 20))]
        ovaries = [self._egg((side * 38, -12, -160), (12, 9, 13)) for side in (-1, 1)]
        if self.person.sex == "male":
            seminal = [self._egg((side * 16, -16, -186), (17, 6, 8), (0, 0, side * 12)) for side in (-1, 1)]
            self.body.pack([gland, *seminal], organ, blend=4, gap=1.5, margin=1)
        else:
            self.body.pack(womb, organ, blend=12, gap=2, margin=1)
            self.body.pack(ovaries, organ, gap=2, margin=1, kin=0)

    def details(self) -> None:
        """The fat and pelvis of the kidneys, and the vessels of the liver."""
        for side, (centre, radii, _) in zip((-1, 1), self.kidneys, strict=True):
            self._hilum(side, centre, radii)
        self._liver_vessels()

    def _hilum(self, side: int, centre: Place, radii: Place) -> None:
        t = self.person.tissues
        inwards = np.array([-side, 0.25, 0.0])
        fat = Layer(t.fat + 15, LABELS["fat"], grain=14)
        middle = centre + inwards * radii[0] * 0.62
        calyces = [
            capsule(middle, beside(centre, -side * 3, 0, z * radii[2]), 3.6, 2.6)
            for z in (-0.5, -0.22, 0.05, 0.28, 0.52)
        ]
        calyces.append(ellipsoid(middle, (4.5, 6.0, 0.42 * radii[2])))
        opening = capsule(middle, centre + inwards * radii[0] * 1.1, 6.0, 9.0)
        self.body.paint([*calyces, opening], fat, blend=5)
        pelvis = [capsule(middle, beside(middle + inwards * 14, 0, 0, -8), 4.0, 3.0)]
        self.body.paint(pelvis, Layer(t.fluid, LABELS["kidneys"]))
        hilum = middle + inwards * 8
        for radius, value, z, x in ((2.8, t.artery, 6, 6), (4.6, t.vein, 2, 14)):
            root = self.person.at((x * (1 if side > 0 else -1), -14, 44 + z))
            path = smooth_path([root, beside(0.5 * (root + hilum), 0, -6, 2), hilum], 4)
            vessel = tube(path, np.linspace(radius, radius * 0.7, len(path)))
            self.body.paint(vessel, Layer(value, LABELS["vessel"]), clip=solids.CAVITY)

    def _liver_vessels(self) -> None:
        t = self.person.tissues
        enlarged = self.person.condition["liver"] ** (1 / 3)
        middle = self.person.at((50, 10, 88))

        def grown(point: Point) -> Place:
            place: Place = middle + (self.person.at(point) - middle) * enlarged
            return place

        portal = Layer(max(t.vein, t.liver - 12) if t.enhanced > 0.3 else t.vein, LABELS["liver"])
        for hub, places in (
            ((40, 8, 72), ((100, 0, 88), (92, -36, 60), (96, 18, 40), (84, 40, 92), (70, -30, 108))),
            ((14, 34, 96), ((-28, 48, 108), (2, 62, 104), (-8, 44, 90), (28, 60, 88))),
        ):
            self._tree(grown(hub), [grown(place) for place in places], 4.6, portal)
            self.body.paint(
                [capsule(self.person.at((30, 6, 60)), grown(hub), 6, 5)], portal, clip=solids.CAVITY
            )
        outlet = self.person.at((22, -16, 122))
        ends = [grown(p) for p in ((104, -14, 96), (80, 28, 74), (44, 52, 92), (2, 50, 108))]
        self._tree(outlet, ends, 4.4, Layer(t.vein - 4, LABELS["liver"]))

    def _tree(self, root: Place, ends: list[Place], radius: float, layer: Layer) -> None:
        """A curved branch to every end, each with twigs."""
        parts: list[Part] = []
        for end in ends:
            end = end + self.rng.normal(0, 5, 3)
            bow = 0.5 * (root + end) + self.rng.normal(0, 4, 3)
            path = smooth_path([root, bow, end], 4)
            parts += tube(path, np.linspace(radius, 1.3, len(path)))
            for _ in range(4):
                fork = path[int(self.rng.integers(2, len(path) - 1))]
                twig = fork + 0.6 * (end - root) * self.rng.uniform(0.3, 0.7) + self.rng.normal(0, 10, 3)
                parts.append(capsule(fork, twig, 1.9, 0.8))
        self.body.paint(parts, layer, blend=1.5, clip=solids.CAVITY, margin=6)
