"""Abdominal CT after bowel preparation and insufflation: a procedural phantom, no two bodies alike.

Solid shapes are painted in order into a body that a smooth field bends. Grey values are those of a soft
tissue window, air slightly above 0. Positions are millimetres from the middle of the volume towards right,
anterior and superior.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from datasets.fields import gaussian_field
from datasets.populations.shapes import Canvas, Floats, Point, ellipsoid, smooth_path, tube
from datasets.populations.subject import Subject

AIR, LUNG, FAT, SKIN, MUSCLE, FLUID = 0.05, 0.10, 0.30, 0.42, 0.50, 0.44
LIVER, SPLEEN, KIDNEY, PANCREAS, BOWEL, VESSEL = 0.57, 0.59, 0.66, 0.52, 0.53, 0.64
MARROW, BONE, DISC, TAGGED, TABLE = 0.66, 0.92, 0.55, 0.88, 0.36

COLON: Sequence[Point] = (
    (78, 12, -125), (94, 0, -85), (104, -15, -40), (98, 10, 0), (62, 58, -5), (5, 70, -30), (-55, 60, 0),
    (-98, 5, 50), (-106, -22, 0), (-102, -12, -60), (-78, 12, -112), (-46, 25, -128), (-5, 20, -118),
    (15, -10, -135), (0, -38, -160), (0, -45, -200),
)  # fmt: skip


def draw(
    rng: np.random.Generator, shape: tuple[int, int, int], spacing_mm: tuple[float, float, float]
) -> Subject:
    """A new abdomen of `shape` voxels of `spacing_mm` millimetres, lying on its table."""
    warp = np.stack([gaussian_field(rng, shape, spacing_mm, [(55.0, 5.0), (22.0, 1.6)]) for _ in range(3)])
    canvas = Canvas(shape, spacing_mm, warp, AIR)
    person = _Person(rng, canvas)
    foreground = person.paint()
    stranding = gaussian_field(rng, shape, spacing_mm, [(9.0, 0.010), (4.0, 0.010)])
    image = canvas.values + np.where(foreground, stranding, 0)
    return Subject(
        np.clip(image, 0.02, 1).astype(np.float32),
        foreground,
        noise=rng.uniform(0.015, 0.025),
        stripped=False,
    )


def with_noise(rng: np.random.Generator, image: Floats, deviation: float) -> Floats:
    """Noise of filtered back-projection: in each slice its amplitude grows with the root of frequency."""
    across, along = image.shape[:2]
    radius = np.hypot(fft.fftfreq(across)[:, None], fft.rfftfreq(along)[None, :])
    shaping = np.sqrt(radius) * np.exp(-((radius / 0.38) ** 2))
    full = np.hypot(fft.fftfreq(across)[:, None], fft.fftfreq(along)[None, :])
    energy = np.mean(full * np.exp(-2 * (full / 0.38) ** 2))
    shaping *= deviation / max(float(np.sqrt(energy)), 1e-6)
    spectrum = fft.rfft2(rng.standard_normal(image.shape, dtype=np.float32), axes=(0, 1))
    noise = fft.irfft2(spectrum * shaping[:, :, None].astype(np.float32), s=(across, along), axes=(0, 1))
    noisy: Floats = image + noise.astype(np.float32)
    return noisy


class _Person:
    """One body's proportions, and the painting of its parts from the skin inwards."""

    def __init__(self, rng: np.random.Generator, canvas: Canvas):
        self.rng, self.canvas = rng, canvas
        self.half_width = rng.uniform(142, 168)
        self.half_depth = rng.uniform(98, 120)
        self.fat = rng.uniform(8, 26)
        self.scale = (self.half_width - self.fat) / 135
        self.shift = rng.normal(0, [4, 3, 10])

    def paint(self) -> NDArray[np.bool_]:
        """Everything, in order; returns where the body is."""
        self._table()
        foreground = self._torso()
        self._chest()
        self._solid_organs()
        self._vessels()
        self._small_bowel()
        self._colon()
        self._spine()
        self._pelvis()
        return foreground

    def _jittered(self, point: Point, mm: float = 4.0) -> NDArray[np.float64]:
        placed: NDArray[np.float64] = np.asarray(point) * self.scale + self.shift + self.rng.normal(0, mm, 3)
        return placed

    def _ellipsoid(self, centre: Point, radii: Point, value: float, turn: Point = (0, 0, 0)) -> None:
        middle = self._jittered(centre)
        size = np.asarray(radii) * self.scale * self.rng.uniform(0.88, 1.12, 3)
        reach = float(size.max())
        box = self.canvas.box(middle - reach, middle + reach)
        tilt = np.asarray(turn) + self.rng.normal(0, 5, 3)
        tint = value * self.rng.normal(1, 0.02)
        self.canvas.paint(box, ellipsoid(self.canvas.places(box), middle, size, list(tilt)), tint)

    def _tube(self, points: Sequence[Point], radii: Sequence[float], value: float, mm: float = 3.0) -> None:
        path = [self._jittered(point, mm) for point in points]
        reach = max(radii)
        box = self.canvas.box(np.min(path, axis=0) - reach, np.max(path, axis=0) + reach)
        self.canvas.paint(box, tube(self.canvas.places(box), path, radii), value)

    def _table(self) -> None:
        x, y, _ = self.canvas.places(self.canvas.whole(), bent=False)
        top = -self.half_depth - 6 + (x / 190) ** 2 * 30
        under = np.abs(y - top + 8) - 8
        side = np.abs(x) - 175
        shell = np.maximum(np.abs(np.maximum(under, side)) - 2.5, side - 4)
        self.canvas.paint(self.canvas.whole(), shell.astype(np.float32), TABLE)

    def _torso(self) -> NDArray[np.bool_]:
        whole = self.canvas.whole()
        x, y, z = self.canvas.places(whole)
        waist = 1 - 0.06 * np.exp(-(((z + 20) / 70) ** 2)) + 0.05 * np.clip(-z / 200, 0, 1)
        skin = _squashed(x, y, self.half_width * waist, self.half_depth * waist)
        self.canvas.paint(whole, skin, SKIN)
        self.canvas.paint(whole, skin + 3, FAT)
        wall = _squashed(
            x, y + 4, (self.half_width - self.fat) * waist, (self.half_depth - self.fat * 0.8) * waist
        )
        self.canvas.paint(whole, wall, MUSCLE)
        self.canvas.paint(whole, wall + 11, FAT)
        return skin < 0

    def _chest(self) -> None:
        for side in (-1, 1):
            self._ellipsoid((side * 70, -5, 190), (58, 78, 92), LUNG)
        self._ellipsoid((-22, 35, 195), (55, 45, 48), MUSCLE + 0.04)
        for level in np.arange(30, 215, 27):
            for side in (-1, 1):
                self._rib(side, float(level))

    def _rib(self, side: int, level: float) -> None:
        angles = np.radians(np.linspace(-68, 40 + level / 8, 12))
        reach = (np.asarray([self.half_width, self.half_depth]) - self.fat - 6) / self.scale
        points = [
            (side * reach[0] * np.cos(a) * 0.985, reach[1] * np.sin(a), level - 26 * (a + 1.1))
            for a in angles
        ]
        self._tube(points, [4.5] * len(points), BONE - 0.06, mm=0.6)

    def _solid_organs(self) -> None:
        self._ellipsoid((68, 8, 72), (58, 68, 66), LIVER, turn=(0, 14, -12))
        self._ellipsoid((12, 42, 86), (62, 32, 36), LIVER, turn=(0, 12, -6))
        self._ellipsoid((60, 12, 125), (52, 62, 40), LIVER)
        for start, stop in (
            ((20, 0, 70), (95, 20, 95)),
            ((25, 5, 80), (80, 45, 60)),
            ((25, -5, 75), (90, -30, 60)),
        ):
            self._tube([start, stop], [5.5, 2.0], VESSEL)
        self._ellipsoid((48, 44, 32), (14, 17, 25), FLUID, turn=(20, 0, 0))
        self._ellipsoid((-95, -28, 78), (24, 42, 48), SPLEEN, turn=(0, 0, 20))
        self._stomach()
        self._tube([(34, 10, 18), (20, 18, 34), (-15, 14, 40), (-62, -10, 62)], [12, 11, 9, 8], PANCREAS)
        for side in (-1, 1):
            tilt = (8, side * 10, side * 25)
            middle = (side * 62, -48, 8 - 8 * side)
            self._ellipsoid(middle, (27, 24, 52), KIDNEY, tilt)
            self._ellipsoid((side * 54, -45, 8 - 8 * side), (11, 10, 24), FAT + 0.05, tilt)

    def _stomach(self) -> None:
        points = [(-55, 5, 120), (-66, 22, 92), (-52, 44, 62), (-14, 52, 46)]
        self._tube(points, [26, 32, 25, 13], BOWEL)
        self._tube(points, [22, 28, 21, 9], FLUID + 0.03)

    def _vessels(self) -> None:
        iliac = [(38, -28, -110), (58, 0, -190), (60, 25, -225)]
        self._tube([(-10, -30, 230), (-12, -28, 60), (-8, -26, -70)], [11.5, 10.5, 9], VESSEL)
        self._tube([(18, -20, 210), (20, -28, 60), (14, -30, -75)], [13, 12, 11], VESSEL - 0.04)
        for side, start in ((-1, (-8, -26, -70)), (1, (12, -28, -75))):
            self._tube([start, *((side * x, y, z) for x, y, z in iliac)], [8, 7, 6, 6], VESSEL)
        self._tube([(-6, -16, 40), (-4, 8, -10), (10, 20, -60)], [5, 4, 3], VESSEL)

    def _small_bowel(self) -> None:
        for _ in range(self.rng.integers(15, 20)):
            start = self.rng.uniform([-62, -8, -120], [62, 58, -15])
            steps = self.rng.normal(0, [26, 14, 18], (4, 3)).cumsum(axis=0)
            points = np.clip(np.vstack([start, start + steps]), [-74, -14, -138], [74, 62, 5])
            path = smooth_path(list(points), 3)
            radius = self.rng.uniform(9.5, 12.5)
            content = self.rng.choice(
                [FLUID, FLUID + 0.04, BOWEL + 0.03, TAGGED - 0.14], p=[0.35, 0.35, 0.2, 0.1]
            )
            shift = self.rng.normal(0, 3, 3)
            for thickness, value in ((0.0, BOWEL), (3.0, float(content))):
                self._loop(path * self.scale + self.shift + shift, radius - thickness, value)

    def _loop(self, path: NDArray[np.float64], radius: float, value: float) -> None:
        box = self.canvas.box(path.min(axis=0) - radius, path.max(axis=0) + radius)
        self.canvas.paint(box, tube(self.canvas.places(box), list(path), [radius] * len(path)), value)

    def _colon(self) -> None:
        path = smooth_path([self._jittered(point, 5.0) for point in COLON], 7)
        run = np.r_[0, np.linalg.norm(np.diff(path, axis=0), axis=1).cumsum()]
        widest = np.interp(run / run[-1], [0, 0.15, 0.5, 0.8, 1], [27, 25, 21, 17, 20]) * self.rng.uniform(
            0.85, 1.1
        )
        radii = widest * (0.86 + 0.16 * np.abs(np.sin(np.pi * run / self.rng.uniform(26, 34))))
        level = self.rng.uniform(0.15, 0.75)
        for first in range(0, len(path) - 1, 7):
            part = slice(first, min(first + 8, len(path)))
            self._colon_piece(path[part], radii[part], wet=level)

    def _colon_piece(self, path: NDArray[np.float64], radii: NDArray[np.float64], wet: float) -> None:
        reach = float(radii.max())
        box = self.canvas.box(path.min(axis=0) - reach, path.max(axis=0) + reach)
        distance = tube(self.canvas.places(box), list(path), list(radii))
        height = self.canvas.places(box, bent=False)[1]
        surface = float(np.median(path[:, 1])) - reach * wet
        wetness = self.canvas.coverage(height - surface)
        self.canvas.paint(box, distance, BOWEL)
        self.canvas.paint(box, distance + 3, AIR + wetness * (TAGGED - AIR))

    def _spine(self) -> None:
        back = 62 - (self.half_depth - 8) / self.scale  # the spinous processes end under the skin
        for side in (-1, 1):
            self._ellipsoid((side * 36, back - 22, 0), (26, 21, 300), MUSCLE + 0.01)
            self._ellipsoid((side * 38, back + 14, -50), (16, 18, 95), MUSCLE + 0.01, turn=(0, -side * 6, 0))
        offset = self.rng.uniform(0, 34)
        for level in np.arange(-140, 240, 34) + offset:
            self._vertebra(back, float(level))
        self._tube([(0, back - 24, -130), (0, back - 24, 240)], [6.5, 7.5], FLUID, mm=0.3)

    def _vertebra(self, back: float, level: float) -> None:
        rings = [((0, back, level - 16), (0, back, level - 11), 19.0, DISC)]
        rings += [((0, back, level - 9), (0, back, level + 13), 21.0, BONE - 0.04)]
        rings += [((0, back, level - 5), (0, back, level + 9), 17.0, MARROW)]
        for low, high, radius, value in rings:
            self._tube([low, high], [radius, radius], value, mm=0.3)
        for side in (-1, 1):
            self._tube(
                [(side * 13, back - 16, level), (side * 10, back - 32, level - 2)], [5, 5], BONE, mm=0.3
            )
            self._tube(
                [(side * 12, back - 26, level), (side * 40, back - 28, level + 2)], [4.5, 3], BONE, mm=0.5
            )
        self._tube([(0, back - 36, level - 4), (0, back - 58, level - 10)], [4.5, 4], BONE, mm=0.5)

    def _pelvis(self) -> None:
        for side in (-1, 1):
            self._iliac_wing(side)
            self._ellipsoid((side * 88, 2, -212), (25, 25, 25), BONE - 0.06)
            self._ellipsoid((side * 88, 2, -212), (20, 20, 20), MARROW + 0.08)
        self._tube([(0, -56, -118), (0, -70, -150), (0, -66, -195)], [26, 20, 10], BONE - 0.08)
        self._tube([(0, -56, -118), (0, -70, -150), (0, -66, -195)], [21, 15, 6], MARROW)
        self._ellipsoid((0, 22, -198), (38, 32, 34), FLUID)

    def _iliac_wing(self, side: int) -> None:
        middle = self._jittered((side * 60, 8, -140), 2)
        size = np.array([52.0, 72.0, 82.0]) * self.scale
        box = self.canvas.box(middle - 90, middle + 90)
        places = self.canvas.places(box)
        surface = np.abs(ellipsoid(places, middle, list(size))) - 5.5
        x, y, z = places - middle.astype(np.float32)[:, None, None, None]
        outside = 10 - side * x
        cut = np.maximum.reduce([surface, outside, y - 34, z - 45]).astype(np.float32)
        self.canvas.paint(box, cut, BONE - 0.05)
        self.canvas.paint(box, cut + 3.5, MARROW)


def _squashed(x: Floats, y: Floats, half_width: Floats, half_depth: Floats) -> Floats:
    """Distance to a rounded-off rectangle, the cross-section of a body."""
    far = ((np.abs(x) / half_width) ** 2.5 + (np.abs(y) / half_depth) ** 2.5) ** 0.4
    return ((far - 1) * np.minimum(half_width, half_depth)).astype(np.float32)
