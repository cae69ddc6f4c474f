"""Spine, ribs and pelvis with their marrow, and the muscles that lie on them."""

import numpy as np
from numpy.typing import NDArray

from datasets.kernels import solids
from datasets.populations.abdomen_person import Person
from datasets.populations.abdomen_tissues import LABELS
from datasets.populations.shapes import Composition, Layer, Part, Point, capsule, ellipsoid, smooth_path, tube

Place = NDArray[np.float64]

LEVELS = 36.0  # millimetres from one lumbar vertebra to the next
FIFTH_LUMBAR = -76.0
BEHIND = np.array([0.0, 25.0, 0.0])  # the spinal canal lies behind the vertebral bodies


class Skeleton:
    """Paints one person's bones; everything random is drawn in the same order for everyone."""

    def __init__(self, rng: np.random.Generator, person: Person, body: Composition):
        self.rng, self.person, self.body = rng, person, body
        t = person.tissues
        self.cortex = Layer(t.cortical, LABELS["bone"], grain=40)
        self.marrow = t.marrow
        self.curve = rng.normal(0, 3.5)
        self.lean = Layer(t.muscle, LABELS["muscle"], grain=9)
        self.sheath = Layer(t.fat, LABELS["fat"], grain=5)

    def _bone(self, parts: list[Part], shell: float = 2.0, blend: float = 4.0, dense: float = 1.0) -> None:
        inside = Layer(self.marrow * dense, LABELS["marrow"], inset=shell, grain=38)
        self.body.paint(parts, self.cortex, inside, blend=blend, clip=solids.BODY, margin=3)

    def _at(self, point: Point) -> Place:
        return self.person.at(point)

    def axis(self, z: float) -> Place:
        """Middle of the vertebral body at a height of the average person, with lordosis and kyphosis."""
        y = -44 + 9 * np.exp(-(((z + 40) / 62) ** 2)) - 8 * np.exp(-(((z - 190) / 80) ** 2))
        y -= 17 * np.clip((-76 - z) / 40, 0, 1) ** 2
        return self._at((self.curve * np.sin(z / 80), y, z))

    def push(self) -> None:
        """The bones that bowel and organs keep clear of; painted later."""
        spine = [self.axis(z) for z in (-110, -60, -10, 40, 90, 150, 230)]
        self.body.pack(tube(spine, [25, 24, 23, 22, 21, 20, 20]), gap=1.5, stiff=4, clip=solids.ANYWHERE)
        sacrum = [self._at(p) for p in ((0, -62, -112), (0, -76, -150), (0, -78, -185), (0, -66, -205))]
        self.body.pack(tube(sacrum, [28, 22, 15, 8]), gap=2, stiff=4, clip=solids.ANYWHERE)

    def muscles_within(self) -> None:
        """Psoas and iliacus, which bowel and kidneys lie on."""
        for side in (-1, 1):
            swell = self.person.muscular * self.rng.uniform(0.92, 1.08)
            path = smooth_path(
                [self._at((side * x, y, z)) for x, y, z in (
                    (27, -52, 66), (36, -48, 30), (44, -44, -10), (52, -38, -52), (62, -20, -95),
                    (76, 6, -140), (86, 26, -180), (90, 14, -220),
                )], 2,
            )  # fmt: skip
            radii = np.interp(np.linspace(0, 7, len(path)), range(8), [6, 12, 17, 20, 20, 18, 15, 13]) * swell
            self.body.pack(
                tube(path, radii), self.lean, blend=4, gap=2.5, stiff=3, clip=solids.WALL, margin=1.0
            )
            iliacus = ellipsoid(self._at((side * 84, -6, -108)), (14, 36, 40), (0, side * 22, side * 14))
            self.body.pack([iliacus], self.lean, blend=4, gap=1.5, stiff=3, clip=solids.WALL, margin=1.0)

    def paint(self) -> None:
        self._back()
        self._hip_muscles()
        self._ribs()
        self._spine()
        self._pelvis()

    def _back(self) -> None:
        """Erector spinae beside the spinous processes, quadratus lumborum beside the psoas."""
        for side in (-1, 1):
            strands = [
                ellipsoid(self._at((side * x, y, 25)), (rx * self.person.muscular, ry, length))
                for x, y, rx, ry, length in (
                    (27, -83, 22, 19, 330),
                    (44, -79, 24, 18, 270),
                    (60, -74, 17, 13, 190),
                )
            ]
            lean = Layer(self.lean.value, self.lean.label, 1.2, 11)
            self.body.paint(strands, self.sheath, lean, blend=12, clip=solids.WALL, margin=1)
            square = ellipsoid(self._at((side * 64, -60, 5)), (17, 9, 62), (0, -side * 8, side * 25))
            self.body.paint([square], self.sheath, Layer(self.lean.value, self.lean.label, 1.4, 9))

    def _hip_muscles(self) -> None:
        """Gluteal muscles with the fat between them, outside the pelvis."""
        for side in (-1, 1):
            for centre, radii, turn in (
                ((112, -30, -128), (24, 52, 62), (0, side * 14, side * 30)),
                ((84, -82, -168), (56, 25, 66), (0, 0, side * 24)),
                ((118, 6, -150), (18, 44, 56), (0, side * 8, side * 8)),
                ((100, 52, -200), (30, 24, 60), (20, 0, 0)),
            ):
                place = self._at((side * centre[0], *centre[1:]))
                muscle = ellipsoid(place, np.array(radii) * self.person.size, turn)
                lean = Layer(self.lean.value, self.lean.label, 2.2, 12)
                self.body.paint([muscle], self.sheath, lean, clip=solids.WALL, margin=0.5)

    def _ribs(self) -> None:
        for number, top in zip(range(12, 5, -1), np.arange(78, 260, 26.5), strict=False):
            for side in (-1, 1):
                self._rib(side, number, float(top) + self.rng.normal(0, 1.5))

    def _rib(self, side: int, number: int, top: float) -> None:
        """From beside its vertebra around the chest and down; cartilage in front for the seventh to tenth."""
        last = {12: -32.0, 11: 0.0}.get(number, 64.0)
        angles = np.radians(np.linspace(-78, last, 16))
        turned = (angles - angles[0]) / np.radians(142)
        falls = (
            top - 66 * np.sin(np.minimum(turned, 0.62) / 0.62 * np.pi / 2) + 55 * np.maximum(turned - 0.62, 0)
        )
        path = np.array([self._on_wall(side, angle, z) for angle, z in zip(angles, falls, strict=True)])
        bony = turned <= 0.70
        parts = tube(path[bony], np.interp(turned[bony], [0, 0.1, 0.7], [4.2, 5.2, 5.0]))
        self._bone(parts, shell=1.6, blend=1.0, dense=0.9)
        if number <= 10:
            cartilage = Layer(self.person.tissues.cartilage, LABELS["cartilage"], grain=15)
            self.body.paint(
                tube(path[turned >= 0.66], [5.2] * int((turned >= 0.66).sum())), cartilage, blend=1
            )

    def _on_wall(self, side: int, angle: float, z: float) -> Place:
        """In the middle of the chest wall."""
        height = z * self.person.height
        width, front, back = (float(v) for v in self.person.trunk(np.array(height)))
        power = 2 / 2.4
        x, y = abs(np.cos(angle)) ** power, abs(np.sin(angle)) ** power
        return np.array([side * x * (width - 8), (front if angle > 0 else -back) * y * 0.93, height])

    def _spine(self) -> None:
        for number in range(10):
            self._vertebra(FIFTH_LUMBAR + LEVELS * number - 0.9 * max(number - 4, 0) ** 2, number)

    def _vertebra(self, z: float, number: int) -> None:
        t, size = self.person.tissues, 1.0 - 0.03 * number
        low, middle, high = self.axis(z - 17), self.axis(z), self.axis(z + 17)
        tilt = (float(np.degrees(np.arctan2(low[1] - high[1], high[2] - low[2]))), 0, 0)
        up = np.array([0, 0, 1.0])
        width, depth = 25.5 * size, 17.5 * size
        disc = [ellipsoid(self.axis(z + 18), (width * 0.97, depth * 0.97, 7.5), tilt)]
        self.body.paint(disc, Layer(t.disc, LABELS["disc"], grain=6))
        self._canal(z, number)
        height = 11.5 * self.person.height
        columns = [
            capsule(middle - height * 0.72 * up + off, middle + height * 0.72 * up + off, radius, radius)
            for off, radius in self._columns(width, depth)
        ]
        ends = [ellipsoid(middle + sign * height * up, (width, depth, 4.5), tilt) for sign in (-1, 1)]
        self._bone(columns + ends, shell=1.9, blend=5)
        self._arch(middle, size, number)
        if self.rng.random() < (self.person.age - 50) / 80:
            self._spur(middle + np.array([self.rng.choice([-1, 1]) * width * 0.72, depth * 0.75, height]))

    def _columns(self, width: float, depth: float) -> list[tuple[Place, float]]:
        radius = depth * 0.88
        return [(np.array([x * (width - radius - 1), 0.0, 0.0]), radius) for x in (-1, 0, 1)]

    def _spur(self, place: Place) -> None:
        self.body.paint([ellipsoid(place, self.rng.uniform(2.5, 5, 3))], self.cortex)

    def _canal(self, z: float, number: int) -> None:
        t = self.person.tissues
        ends = [self.axis(z + step) - BEHIND for step in (-19, 19)]
        self.body.paint(tube(ends, [10.5, 10.5]), Layer(t.fat + 40, LABELS["spinal-canal"]), blend=2)
        self.body.paint(tube(ends, [8, 8]), Layer(t.canal, LABELS["spinal-canal"], grain=4), blend=2)

    def _arch(self, middle: Place, size: float, number: int) -> None:
        """Pedicles, laminae, transverse and articular processes, and the spinous process."""
        rods: list[tuple[tuple[float, float, float], tuple[float, float, float], float, float]] = [
            ((0, -36, -3), (0, -57 * size - 3, -11 - number), 4.0, 3.6),
        ]
        for side in (-1, 1):
            rods += [
                ((side * 15, -14, 3), (side * 14.5, -25, 2), 5.0, 4.6),
                ((side * 14.5, -25, 2), (0, -37, -3), 4.2, 4.0),
                ((side * 15, -27, 10), (side * 16, -30, -12), 6.0, 5.5),
                ((side * 15, -25, 2), (side * (39 - 2 * number), -32, 3), 4.5, 3.0),
            ]
        parts = [capsule(middle + np.array(a), middle + np.array(b), r, q) for a, b, r, q in rods]
        self._bone(parts, shell=1.8, blend=3, dense=1.2)

    def _pelvis(self) -> None:
        self._sacrum()
        for side in (-1, 1):
            self._hip(side)
        t = self.person.tissues
        self.body.paint(
            [ellipsoid(self._at((0, 62, -208)), (5, 11, 20))], Layer(t.cartilage, LABELS["cartilage"])
        )

    def _sacrum(self) -> None:
        path = ((0, -62, -112), (0, -74, -135), (0, -81, -158), (0, -80, -180), (0, -72, -200))
        parts = [
            ellipsoid(self._at(p), (w, d, 16))
            for p, w, d in zip(path, (44, 40, 33, 24, 13), (20, 16, 13, 10, 7), strict=True)
        ]
        parts += [ellipsoid(self._at((side * 40, -66, -120)), (19, 17, 24)) for side in (-1, 1)]
        self._bone(parts, shell=2.0, blend=8, dense=0.85)
        ends = [self._at((0, -80, -118)), self._at((0, -93, -160))]
        self.body.paint(tube(ends, [8, 5]), Layer(self.person.tissues.canal - 30, LABELS["spinal-canal"]))
        self._bone(tube([self._at((0, -97, -125)), self._at((0, -104, -160))], [4, 4]), blend=1)

    def _hip(self, side: int) -> None:
        def at(x: float, y: float, z: float) -> Place:
            return self._at((side * x, y, z))

        crest = [at(*p) for p in (
            (48, -84, -92), (66, -76, -62), (88, -52, -48), (106, -18, -52), (117, 18, -70), (116, 46, -100),
        )]  # fmt: skip
        foot = [at(*p) for p in (
            (52, -70, -128), (66, -54, -142), (80, -30, -152), (88, -8, -158), (94, 10, -160), (98, 24, -160),
        )]  # fmt: skip
        rim, base = smooth_path(crest, 4), smooth_path(foot, 4)
        wing = [capsule(a, b, 4.6, 6.2) for a, b in zip(rim, base, strict=True)] + tube(rim, [6.0] * len(rim))
        socket = ellipsoid(at(86, 4, -182), (36, 34, 34))
        arms = [
            capsule(at(78, 16, -176), at(14, 60, -204), 10, 8),
            capsule(at(80, -24, -188), at(62, -34, -228), 14, 15),
            capsule(at(14, 60, -206), at(52, 10, -240), 8, 7),
        ]
        self._bone([*wing, socket, *arms], shell=2.2, blend=7, dense=0.9)
        head = at(92, 4, -186)
        t = self.person.tissues
        self.body.paint(
            [ellipsoid(head + np.array([side * 3, 0, -2]), (29, 27.5, 28))],
            Layer(t.cartilage, LABELS["cartilage"]),
        )
        self.body.paint([ellipsoid(head + np.array([side * 32, 0, -14]), (22, 30, 36))], self.lean)
        neck = capsule(head, head + np.array([side * 44, -10, -34]), 15, 16)
        top = ellipsoid(head + np.array([side * 48, -12, -30]), (19, 20, 24))
        self._bone([ellipsoid(head, (24.5, 24.5, 24.5)), neck, top], shell=2.2, blend=8, dense=1.5)
