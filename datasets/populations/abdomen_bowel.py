"""The bowel: a haustral colon full of gas with tagged fluid standing in it, and coils of small bowel.

Colon 15 to 35 mm in radius when insufflated, wall 1 to 3 mm; small bowel up to 15 mm in radius, wall 2 to 3
mm (Balthazar; Macari and Balthazar, Radiology).
"""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.signal import find_peaks
from scipy.spatial import cKDTree

from datasets.populations.abdomen_person import CONDITIONS, Person
from datasets.populations.abdomen_tissues import LABELS
from datasets.populations.shapes import Composition, Layer, Part, capsule, ellipsoid, smooth_path

Doubles = NDArray[np.float64]

# x, y, z, radius; from the rectum to the caecum.
COLON = np.array([
    (0, -58, -216, 13), (0, -52, -192, 22), (2, -46, -165, 21), (-2, -30, -146, 15), (22, -8, -138, 15),
    (20, 22, -122, 16), (-14, 30, -104, 16), (-34, 8, -122, 15), (-66, 10, -116, 15), (-90, -6, -90, 17),
    (-103, -22, -50, 18), (-106, -30, -5, 18), (-106, -28, 40, 19), (-92, 8, 64, 21), (-74, 38, 52, 21),
    (-44, 64, 22, 23), (-4, 70, 2, 23), (42, 66, 2, 23), (82, 38, 14, 23), (98, -8, 8, 24),
    (102, -20, -28, 27), (98, -12, -68, 29), (86, 6, -104, 28),
], dtype=float)  # fmt: skip
SIGMOID = (3, 13)  # and descending: these stations, where diverticula grow
CREST = 12.0  # millimetres that the colon must rise and fall again to part two pools of fluid
SPACE = ((-88, 88), (-22, 84), (-165, 22))  # where small bowel may lie


@dataclass(frozen=True)
class Coil:
    """A stretch of small bowel: (n, 3) points and their radii."""

    path: Doubles
    radii: Doubles


class Bowel:
    """One person's bowel: `pack` it, then use `coils` to lead vessels to it."""

    def __init__(self, rng: np.random.Generator, person: Person, body: Composition):
        self.rng, self.person, self.body = rng, person, body
        self.plain = replace(person, condition=CONDITIONS)  # lays the bowel out, so that all have the same
        self.blown = rng.uniform(1.08, 1.38)
        self.wet = rng.uniform(0, 1, len(COLON))
        self.beads, self.radii, self.station = self._haustra(self._course())
        self.crests, _ = find_peaks(person.upwards * self.beads[:, 1], prominence=CREST)
        self.coils = self._coils()
        self.beads = person.swollen(self.beads)
        self.radii = self.radii * (1 + 0.38 * person.condition["gas"])

    def _course(self) -> Doubles:
        """A denser line through the colon's stations, each person's own."""
        stations = COLON.copy()
        stations[:, :3] += self.rng.normal(0, 4.5, (len(COLON), 3))
        stations[15:18, 2] -= self.rng.gamma(2.0, 11.0) * np.array([0.7, 1.0, 0.7])
        stations[4:8, 2] += self.rng.uniform(-8, 34)
        stations[4:8, 0] *= self.rng.uniform(0.4, 1.5)
        stations[:, :3] = self.plain.at(stations[:, :3])
        return smooth_path(np.column_stack([stations, np.arange(len(COLON))]), 24)

    def _haustra(self, course: Doubles) -> tuple[Doubles, Doubles, Doubles]:
        """Beads along the course, as far apart as they are wide: where two meet, a fold remains."""
        run = np.r_[0, np.linalg.norm(np.diff(course[:, :3], axis=0), axis=1).cumsum()]
        places, at = [], 0.0
        while at < run[-1]:
            places.append(at)
            radius = float(np.interp(at, run, course[:, 3]))
            at += radius * self.rng.uniform(1.05, 1.4)
        beads = np.column_stack([np.interp(places, run, course[:, column]) for column in range(5)])
        radii = beads[:, 3] * self.blown * self.person.size * self.rng.uniform(0.88, 1.1, len(beads))
        beads[:, :3] += self.rng.normal(0, 0.10, (len(beads), 3)) * radii[:, None]
        return beads[:, :3], radii, beads[:, 4]

    def pack(self) -> None:
        self._colon()
        self._small_bowel()

    def levels(self) -> Doubles:
        """How high tagged fluid stands at each bead: level within a pool, and never over a crest."""
        heights = self.person.upwards * self.beads[:, 1]
        edges = [0, *(int(crest) for crest in self.crests), len(heights)]
        levels = np.empty(len(heights))
        for start, stop in pairwise(edges):
            pool, wet = slice(start, stop), self.wet[int(self.station[start])]
            bottom = np.min(heights[pool] - self.radii[pool])
            wanted = bottom + 2 * wet * np.median(self.radii[pool])
            ends = [heights[end] - self.radii[end] for end in (start, stop) if 0 < end < len(heights)]
            levels[pool] = min([float(wanted), *ends])
        return levels

    def _colon(self) -> None:
        t, levels = self.person.tissues, self.levels()
        parts: list[Part] = []
        for index, (bead, radius) in enumerate(zip(self.beads, self.radii, strict=True)):
            stretch = self.rng.uniform(0.92, 1.12, 3)
            parts.append(
                ellipsoid(bead, radius * stretch, self.rng.uniform(0, 90, 3).tolist(), levels[index])
            )
            following = min(index + 1, len(self.beads) - 1)
            neck = 0.74 * min(radius, self.radii[following])
            parts.append(capsule(bead, self.beads[following], neck, neck, levels[index]))
        wall = Layer(t.bowel, LABELS["colon-wall"], grain=5)
        inside = Layer(t.tagging, LABELS["colon-fluid"], 2.4, 14, (t.gas, LABELS["colon-gas"]))
        self.body.pack(parts, wall, inside, blend=2.0, gap=0.8, kin=6, stiff=1, margin=1.2)

    def _coils(self) -> list[Coil]:
        """Chains through evenly scattered points: coils that fill their space without crossing."""
        spacing = self.rng.uniform(17.5, 19.5) + 8 * self.person.visceral
        points = self._scattered(spacing)
        tree, free, coils = cKDTree(points), np.ones(len(points), bool), []
        for start in range(len(points)):
            chain = [start] if free[start] else []
            free[start] = False
            while chain and len(chain) < 9:
                near = tree.query(points[chain[-1]], k=min(14, len(points)))[1]
                onward = [int(i) for i in np.atleast_1d(near) if i < len(points) and free[i]]
                if not onward or np.linalg.norm(points[onward[0]] - points[chain[-1]]) > 1.9 * spacing:
                    break
                chain.append(onward[0])
                free[onward[0]] = False
            if len(chain) >= 3:
                coils.append(self._coil(points[chain]))
        return coils

    def _coil(self, points: Doubles) -> Coil:
        path = smooth_path(points, 3)
        path[1:-1] += self.rng.normal(0, 1.0, path[1:-1].shape)
        wide = self.rng.uniform(10.0, 12.5) * (1 + 0.55 * self.person.condition["gas"])
        return Coil(
            self.person.swollen(path),
            wide * (1 + 0.10 * np.sin(np.linspace(0, 9, len(path)) + self.rng.uniform(0, 6))),
        )

    def _scattered(self, spacing: float) -> Doubles:
        """Points in the cavity at least `spacing` apart, off the colon and the spine."""
        tries = np.column_stack([self.rng.uniform(*side, 2600) for side in SPACE])
        tries = self.plain.at(tries)
        x, y, z = tries.T
        free = (self.plain.inner(x, y, z) < -10) & ((y > -8) | (z < -100) | (np.abs(x) > 55))
        away = np.linalg.norm(tries[:, None] - self.beads[None], axis=2) - self.radii[None]
        tries = tries[free & (away.min(axis=1) > 5)]
        kept: list[Doubles] = []
        for point in tries:
            if not kept or np.min(np.sum((np.array(kept) - point) ** 2, axis=1)) > spacing**2:
                kept.append(point)
        return np.array(sorted(kept, key=lambda point: -float(point[2]))).reshape(-1, 3)

    def _small_bowel(self) -> None:
        t, gas = self.person.tissues, self.person.condition["gas"]
        for coil in self.coils:
            kind, folds = self.rng.random(2)
            level = float(self.person.upwards * np.median(coil.path[:, 1]) + self.rng.uniform(-6, 6))
            parts = [
                capsule(a, b, r, q, level)
                for a, b, r, q in zip(coil.path, coil.path[1:], coil.radii, coil.radii[1:], strict=False)
            ]
            wall = Layer(t.bowel, LABELS["small-bowel"], grain=6)
            self.body.pack(
                parts, wall, *self._content(kind, folds, gas), blend=2.5, gap=1.2, kin=4, margin=1.5
            )

    def _content(self, kind: float, folds: float, gas: float) -> tuple[Layer, ...]:
        """Collapsed, fluid, chyme, tagged, or (more in ileus) gas over fluid."""
        t, name = self.person.tissues, LABELS["small-bowel"]
        if kind < 0.06 + 0.8 * gas:
            return (Layer(t.fluid + 10, name, 2.2, 6, (t.gas, name)),)
        if kind < 0.30:
            return (Layer(t.bowel - 10, name, 3.6, 8),)
        if kind < 0.42:
            return (Layer(0.45 * t.tagging, name, 2.6, 30),)
        return (Layer(t.fluid + 6 + 22 * folds, name, 2.4, 10),)
