"""One body: its proportions, and the smooth surfaces that everything else is fitted into.

Positions are given for an average person, millimetres towards right, anterior and superior from the middle of
the volume, which lies on the spine's level L3; `Person.at` carries them into this one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from datasets.fields import gaussian_field
from datasets.kernels import solids
from datasets.populations.abdomen_tissues import Tissues
from datasets.populations.shapes import Point

Doubles = NDArray[np.float64]

# What a condition's number means, and the number that means nothing unusual.
CONDITIONS: Mapping[str, float] = {
    "liver": 1.0,  # times the volume
    "spleen": 1.0,  # times the volume
    "kidneys": 1.0,  # times the volume
    "aorta": 1.0,  # times the diameter below the renal arteries
    "ascites": 0.0,  # 0 none to 1 tense
    "gas": 0.0,  # 0 none to 1 small and large bowel as wide as in an ileus
}
VARIANTS = ("supine", "prone")
STEP = 8.0
HALF = (232.0, 192.0, 264.0)  # the lattice covers this much to both sides, in mm
BENDING = [(52.0, 4.5), (21.0, 1.5)]
LOWER_RIBS = 60.0


@dataclass(frozen=True)
class Person:
    """Half width and half depth of the muscular trunk, and thickness of fat, in millimetres; see `drawn`."""

    sex: str
    age: float
    position: str
    half_width: float
    half_depth: float
    height: float
    fat: float
    visceral: float
    muscular: float
    dome: float
    tissues: Tissues
    condition: Mapping[str, float]
    noise: float

    @property
    def upwards(self) -> float:
        return 1.0 if self.position == "supine" else -1.0

    @property
    def scale(self) -> Doubles:
        return np.array([self.half_width / 140, self.half_depth / 93, self.height])

    @property
    def size(self) -> float:
        return float(np.prod(self.scale) ** (1 / 3))

    @property
    def belly(self) -> float:
        """Millimetres by which the belly stands out."""
        squeezed = 0.55 if self.position == "prone" else 1.0
        return (
            squeezed * (26 * self.visceral - 6) + 22 * self.condition["ascites"] + 16 * self.condition["gas"]
        )

    def at(self, point: Point | Doubles) -> Doubles:
        """A place of the average person in this one; (..., 3)."""
        place = np.asarray(point, dtype=float) * self.scale
        forward = np.clip(place[..., 1] / self.half_depth, 0, 1.2)
        place[..., 1] += forward * self.belly * _bump(place[..., 2] / self.height, -15, 75)
        return place

    def swollen(self, places: Doubles) -> Doubles:
        """Where the places of this person without any condition have been pushed; (..., 3)."""
        more = self.belly - replace(self, condition=CONDITIONS).belly
        moved = places.copy()
        forward = np.clip(places[..., 1] / self.half_depth, 0, 1.2)
        moved[..., 1] += forward * more * _bump(places[..., 2] / self.height, -15, 75)
        return moved

    def trunk(self, z: Doubles) -> tuple[Doubles, Doubles, Doubles]:
        """Half width, depth in front and depth behind of the muscular trunk at a height."""
        level = z / self.height
        hips = _rise(-level, 70, 150)
        ribs = _rise(level, 20, 110)
        width = self.half_width * (
            1 - 0.05 * _bump(level, 5, 45) + 0.10 * hips * (1.25 if self.sex == "female" else 1)
        )
        front = self.half_depth * (1 + 0.08 * ribs - 0.03 * hips) + self.belly * _bump(level, -15, 75)
        back = self.half_depth * (1 + 0.04 * ribs + 0.05 * hips)
        return width, front, back

    def skin(self, x: Doubles, y: Doubles, z: Doubles) -> Doubles:
        """Distance to the skin, flattened where the body lies on its table."""
        width, front, back = self.trunk(z)
        hips = _rise(-z / self.height, 30, 140)
        around = self.fat * (0.85 + 0.55 * hips)
        free = rounded(
            x, y, width + around, front + 0.95 * self.fat, back + self.fat * (0.9 + 0.5 * hips), 2.3
        )
        return np.maximum(free, self.table_top(x) - self.upwards * y)

    def outer(self, x: Doubles, y: Doubles, z: Doubles) -> Doubles:
        """Distance to the outside of the muscles and ribs."""
        width, front, back = self.trunk(z)
        pressed = self.table_top(x) + 0.62 * self.fat - self.upwards * y
        return np.maximum(rounded(x, y, width, front, back, 2.4), pressed)

    def inner(self, x: Doubles, y: Doubles, z: Doubles) -> Doubles:
        """Distance to the inside of the wall: of the rib cage, the belly, the pelvis."""
        width, front, back = self.trunk(z)
        level = z / self.height
        pelvis = _rise(-level, 85, 165)
        chest = _rise(level, 45, 100)
        sides = 15 * self.muscular * (1 - 0.25 * chest) + 74 * pelvis
        ahead = (10 * self.muscular + 8 * pelvis) * (1 + 0.25 * chest)
        behind = 25 * (1 - 0.5 * chest) * self.muscular**0.5 + 22 * pelvis
        return rounded(x, y, width - sides, front - ahead, back - behind, 2.4)

    def diaphragm(self, x: Doubles, y: Doubles, z: Doubles) -> Doubles:
        """Distance to the diaphragm, negative below; two domes on a sloping base."""
        x, y, z = x / self.scale[0], y / self.scale[1], (z - self.dome) / self.scale[2]
        right = _egg(x - 62, y - 2, z - 30, 86, 100, 118)
        left = _egg(x + 62, y - 2, z - 28, 88, 104, 108)
        base = (z - 16 - 0.38 * y) * 0.93
        return _melted(_melted(right, left, 22.0), base, 16.0)

    def peritoneum(self, x: Doubles, y: Doubles, z: Doubles) -> Doubles:
        """Negative where free fluid may run: not around kidneys and great vessels."""
        x, y = x / self.scale[0], y / self.scale[1]
        return -(y + 20 + 34 * _rise(np.abs(x), 62, 96))

    def table_top(self, x: Doubles) -> Doubles:
        """How high the cradle that the body lies on stands, against gravity's direction."""
        lying = self.half_depth * 1.03 + 0.8 * self.fat - 3
        if self.position == "prone":
            lying = self.half_depth + 0.8 * self.belly + 0.75 * self.fat - 3
        return -lying + 34 * (x / 200) ** 2

    def lattice(self, rng: np.random.Generator) -> solids.Lattice:
        """Bending and surfaces at the nodes of a lattice that doesn't depend on the volume."""
        lines = [np.arange(-half, half + 0.1, STEP) for half in HALF]
        shape = (lines[0].size, lines[1].size, lines[2].size)
        grid = np.meshgrid(*lines, indexing="ij")
        fields = np.empty((*shape, 8), dtype=np.float32)
        for axis in range(3):
            fields[..., axis] = gaussian_field(rng, shape, (STEP,) * 3, BENDING)
        x, y, z = (line + fields[..., axis] for axis, line in enumerate(grid))
        surfaces = (self.skin, self.outer, self.inner, self.diaphragm, self.peritoneum)
        for index, surface in enumerate(surfaces):
            fields[..., 3 + index] = surface(x, y, z)
        origin = np.array([line[0] for line in lines])
        return solids.Lattice(fields.ravel(), np.array(shape), origin, STEP, 1 + _slope(fields[..., :3]))


def drawn(rng: np.random.Generator, condition: Mapping[str, float], variant: str | None) -> Person:
    """A new person between 50 and 80, as they come to screening colonography.

    Ranges: trunk and fat after anthropometric tables of adults (5th to 95th percentile), in whom the
    supine half depth is 90 to 130 mm and the half width 140 to 190 mm with fat.
    """
    sex = "male" if rng.random() < 0.5 else "female"
    male = sex == "male"
    age = rng.uniform(50, 80)
    prone = rng.random() < 0.3
    position = variant or ("prone" if prone else "supine")
    half_width = float(np.clip(rng.normal(155 if male else 144, 5.5), 132, 168))
    half_depth = float(np.clip(rng.normal(106 if male else 98, 4.5), 88, 118))
    fat = float(np.clip(np.exp(rng.normal(np.log(14 if male else 19), 0.40)), 6, 185 - half_width))
    visceral = float(np.clip(rng.normal(0.55 if male else 0.40, 0.22) + 0.006 * (fat - 17), 0.02, 1))
    enhanced = rng.uniform(0, 0.08) if rng.random() < 0.4 else rng.uniform(0.55, 1)
    return Person(
        sex=sex,
        age=float(age),
        position=position,
        half_width=half_width,
        half_depth=half_depth,
        height=float(np.clip(rng.normal(1.02 if male else 0.97, 0.03), 0.9, 1.1)),
        fat=fat,
        visceral=visceral,
        muscular=float(np.clip(rng.normal(1.06 if male else 0.92, 0.1), 0.7, 1.3)),
        dome=float(rng.normal(0, 9)),
        tissues=Tissues(
            enhanced=float(enhanced),
            steatosis=float(max(rng.normal(2, 9), -4)),
            bone_density=float(np.clip(rng.normal(1.15 - 0.006 * (age - 50), 0.09), 0.7, 1.3)),
            tagging=float(rng.uniform(260, 620)),
        ),
        condition={**CONDITIONS, **condition},
        noise=float(rng.uniform(0.015, 0.025)),
    )


def rounded(x: Doubles, y: Doubles, width: Doubles, front: Doubles, back: Doubles, power: float) -> Doubles:
    """Distance to the cross-section of a trunk, between an ellipse (2) and a rectangle."""
    depth = np.where(y > 0, front, back)
    u, v = np.abs(x) / width + 1e-6, np.abs(y) / depth + 1e-6
    far = (u**power + v**power) ** (1 / power)
    steep = far ** (1 - power) * np.hypot(u ** (power - 1) / width, v ** (power - 1) / depth)
    distance: Doubles = (far - 1) / np.maximum(steep, 1 / (3 * np.minimum(width, depth)))
    return distance


def _slope(bending: NDArray[np.float32]) -> float:
    """A bound on the norm of the bending's derivative anywhere between the nodes."""
    total = np.zeros(bending.shape[:3])
    for axis in range(3):
        steps = np.diff(bending, axis=axis, append=np.take(bending, [-1], axis=axis))
        total += ndimage.maximum_filter((steps**2).sum(axis=-1), size=3)
    return float(np.sqrt(total.max())) / STEP


def _egg(x: Doubles, y: Doubles, z: Doubles, a: float, b: float, c: float) -> Doubles:
    far = np.sqrt((x / a) ** 2 + (y / b) ** 2 + (z / c) ** 2) + 1e-6
    distance: Doubles = (
        far * (far - 1) / (np.sqrt((x / a**2) ** 2 + (y / b**2) ** 2 + (z / c**2) ** 2) + 1e-6)
    )
    return distance


def _melted(a: Doubles, b: Doubles, blend: float) -> Doubles:
    melted: Doubles = np.minimum(a, b) - np.maximum(blend - np.abs(a - b), 0) ** 2 / (4 * blend)
    return melted


def _rise(value: Doubles, low: float, high: float) -> Doubles:
    t = np.clip((value - low) / (high - low), 0, 1)
    risen: Doubles = t * t * (3 - 2 * t)
    return risen


def _bump(value: Doubles, middle: float, width: float) -> Doubles:
    bump: Doubles = np.exp(-(((value - middle) / width) ** 2))
    return bump
