"""Outlines of things that nobody has inside, as polygons with corners in [-1, 1], and strokes of letters."""

from itertools import pairwise

import numpy as np
from scipy import ndimage

from datasets.anomalies.scene import Floats

Points = tuple[tuple[float, float], ...]
TABLE = 193
REACH = 1.5  # distances are known for places in [-1.5, 1.5]

# fmt: off
OUTLINES: dict[str, Points] = {
    "gorilla": (
        (-0.16, 0.62), (-0.24, 0.80), (-0.16, 0.95), (0.0, 1.0), (0.16, 0.95), (0.24, 0.80), (0.16, 0.62),
        (0.42, 0.55), (0.60, 0.35), (0.72, -0.05), (0.80, -0.45), (0.84, -0.70), (0.66, -0.74), (0.58, -0.45),
        (0.44, -0.05), (0.38, -0.20), (0.44, -0.55), (0.46, -0.86), (0.58, -1.0), (0.18, -1.0), (0.20, -0.70),
        (0.12, -0.42), (0.0, -0.36), (-0.12, -0.42), (-0.20, -0.70), (-0.18, -1.0), (-0.58, -1.0),
        (-0.46, -0.86), (-0.44, -0.55), (-0.38, -0.20), (-0.44, -0.05), (-0.58, -0.45), (-0.66, -0.74),
        (-0.84, -0.70), (-0.80, -0.45), (-0.72, -0.05), (-0.60, 0.35), (-0.42, 0.55),
    ),
    "key": (
        (-0.95, 0.0), (-0.88, 0.28), (-0.66, 0.42), (-0.42, 0.36), (-0.26, 0.13), (0.98, 0.13), (0.98, -0.42),
        (0.80, -0.42), (0.80, -0.13), (0.66, -0.13), (0.66, -0.34), (0.50, -0.34), (0.50, -0.13),
        (-0.26, -0.13), (-0.42, -0.36), (-0.66, -0.42), (-0.88, -0.28),
    ),
    "bird": (
        (-1.0, 0.30), (-0.62, 0.42), (-0.30, 0.30), (-0.12, 0.12), (0.0, 0.26), (0.08, 0.22), (0.14, 0.10),
        (0.34, 0.30), (0.66, 0.42), (1.0, 0.30), (0.66, 0.18), (0.40, -0.02), (0.20, -0.20), (0.12, -0.50),
        (0.22, -0.72), (0.0, -0.64), (-0.22, -0.72), (-0.12, -0.50), (-0.20, -0.20), (-0.40, -0.02),
        (-0.66, 0.18),
    ),
    "fish": (
        (-0.98, 0.02), (-0.80, 0.22), (-0.48, 0.40), (-0.14, 0.44), (0.06, 0.62), (0.22, 0.36), (0.56, 0.12),
        (0.96, 0.46), (0.86, 0.0), (0.96, -0.46), (0.56, -0.12), (0.24, -0.34), (0.02, -0.54), (-0.16, -0.42),
        (-0.48, -0.38), (-0.80, -0.20),
    ),
    "cat": (
        (-0.62, 0.50), (-0.66, 0.98), (-0.42, 0.80), (-0.20, 0.82), (0.0, 0.98), (0.02, 0.52), (-0.06, 0.34),
        (0.30, 0.20), (0.52, -0.20), (0.56, -0.66), (0.80, -0.52), (0.84, -0.10), (0.98, -0.12),
        (0.98, -0.62), (0.72, -0.94), (-0.46, -0.94), (-0.40, -0.30), (-0.46, 0.20),
    ),
    "hand": (
        (-0.36, -1.0), (-0.40, -0.44), (-0.94, 0.02), (-0.84, 0.16), (-0.42, -0.08), (-0.46, 0.66),
        (-0.28, 0.70), (-0.20, 0.12), (-0.14, 0.94), (0.06, 0.96), (0.06, 0.14), (0.20, 0.86), (0.38, 0.82),
        (0.30, 0.08), (0.52, 0.56), (0.68, 0.48), (0.48, -0.20), (0.36, -0.56), (0.34, -1.0),
    ),
    "scissors": (
        (-0.92, 0.86), (0.02, 0.20), (0.36, 0.20), (0.62, 0.36), (0.90, 0.30), (0.96, 0.06), (0.70, -0.06),
        (0.40, 0.04), (0.40, -0.04), (0.70, 0.02), (0.96, -0.10), (0.90, -0.34), (0.62, -0.40), (0.36, -0.22),
        (0.02, -0.22), (-0.92, -0.86), (-0.22, -0.06), (-0.22, 0.06),
    ),
}
# Letters on a field of 4 by 6, as lines through these points.
LETTERS: dict[str, tuple[Points, ...]] = {
    "A": (((0, 0), (2, 6), (4, 0)), ((0.8, 2.2), (3.2, 2.2))),
    "E": (((4, 0), (0, 0), (0, 6), (4, 6)), ((0, 3), (3, 3))),
    "H": (((0, 0), (0, 6)), ((4, 0), (4, 6)), ((0, 3), (4, 3))),
    "K": (((0, 0), (0, 6)), ((4, 6), (0, 2.6)), ((1.3, 3.6), (4, 0))),
    "L": (((0, 6), (0, 0), (3.8, 0)),),
    "M": (((0, 0), (0, 6), (2, 2.6), (4, 6), (4, 0)),),
    "R": (((0, 0), (0, 6), (3, 6), (4, 5), (4, 4), (3, 3), (0, 3)), ((2, 3), (4, 0))),
    "S": (((4, 5), (3, 6), (1, 6), (0, 5), (0, 4), (4, 2), (4, 1), (3, 0), (1, 0), (0, 1)),),
    "T": (((0, 6), (4, 6)), ((2, 6), (2, 0))),
    "X": (((0, 0), (4, 6)), ((0, 6), (4, 0))),
    "1": (((0.8, 4.6), (2.2, 6), (2.2, 0)),),
    "4": (((3, 0), (3, 6), (0, 2), (4, 2)),),
    "7": (((0, 6), (4, 6), (1.4, 0)),),
}
# fmt: on


def outline_depth(name: str, u: Floats, v: Floats) -> Floats:
    """How far inside the outline places lie, negative outside, in its units; of the shape of `u` and `v`."""
    line = np.linspace(-REACH, REACH, TABLE, dtype=np.float32)
    x, y = np.meshgrid(line, line, indexing="ij")
    corners = OUTLINES[name]
    distance, inside = np.full_like(x, np.inf), np.zeros(x.shape, dtype=np.bool_)
    for start, end in zip(corners, corners[1:] + corners[:1], strict=True):
        distance = np.minimum(distance, _to_line(x, y, start, end))
        crosses = (start[1] > y) != (end[1] > y)
        rise = end[1] - start[1] or 1.0
        inside ^= crosses & (x < (end[0] - start[0]) * (y - start[1]) / rise + start[0])
    return _read(np.where(inside, distance, -distance), u, v)


def writing_distance(text: str, u: Floats, v: Floats) -> Floats:
    """How far places are from the lines of `text`, which fills [-1, 1] along u; of the shape of `u`."""
    wide = 5.5 * len(text) - 1.5
    unit = 2 / max(wide, 6.0)
    distance = np.full_like(u, np.inf)
    for index, letter in enumerate(text):
        for stroke in LETTERS[letter]:
            points = [((x + 5.5 * index - wide / 2) * unit, (y - 3) * unit) for x, y in stroke]
            for start, end in pairwise(points):
                distance = np.minimum(distance, _to_line(u, v, start, end))
    return distance


def letter_height(text: str) -> float:
    """In the units of `writing_distance`."""
    return 12 / max(5.5 * len(text) - 1.5, 6.0)


def _to_line(x: Floats, y: Floats, start: tuple[float, float], end: tuple[float, float]) -> Floats:
    """Distance to the straight line between two points."""
    along = (end[0] - start[0], end[1] - start[1])
    length = along[0] ** 2 + along[1] ** 2
    part = np.clip(((x - start[0]) * along[0] + (y - start[1]) * along[1]) / length, 0, 1)
    away: Floats = np.hypot(x - start[0] - part * along[0], y - start[1] - part * along[1])
    return away


def _read(table: Floats, u: Floats, v: Floats) -> Floats:
    scale = (TABLE - 1) / (2 * REACH)
    places = np.stack([(u + REACH) * scale, (v + REACH) * scale])
    found: Floats = ndimage.map_coordinates(table.astype(np.float32), places, order=1, mode="nearest")
    return found
