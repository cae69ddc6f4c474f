"""Solid shapes as signed distances, painted into a volume one over the other.

Distances are in millimetres, negative inside. Each shape is evaluated only in the box that holds it, so a
volume costs about as much as the voxels its shapes cover.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

Floats = NDArray[np.float32]
Box = tuple[slice, slice, slice]
Point = Sequence[float] | NDArray[np.float64]
MARGIN = 14.0  # how far, in mm, the warp may carry a shape beyond its own bounds


class Canvas:
    """A volume to paint on. `values`: float32 (x, y, z). The middle of the volume is the origin.

    `warp` (3, x, y, z) in millimetres bends every shape that is painted with `bent=True`.
    """

    def __init__(self, shape: tuple[int, int, int], spacing_mm: Sequence[float], warp: Floats, air: float):
        self.values = np.full(shape, air, dtype=np.float32)
        self._warp = warp
        self._edge = float(np.mean(spacing_mm))
        self._lines = [
            ((np.arange(size) - (size - 1) / 2) * spacing).astype(np.float32)
            for size, spacing in zip(shape, spacing_mm, strict=True)
        ]

    def whole(self) -> Box:
        """The box that is the whole volume."""
        x, y, z = (slice(0, line.size) for line in self._lines)
        return x, y, z

    def box(self, low: Point, high: Point) -> Box:
        """The voxels between two corners, in millimetres, with a margin for the warp."""
        x, y, z = (
            slice(int(np.searchsorted(line, a - MARGIN)), int(np.searchsorted(line, b + MARGIN)))
            for line, a, b in zip(self._lines, low, high, strict=True)
        )
        return x, y, z

    def places(self, box: Box, bent: bool = True) -> Floats:
        """Positions of the voxels of `box` in millimetres, (3, x, y, z)."""
        lines = [line[part] for line, part in zip(self._lines, box, strict=True)]
        grid = np.stack(np.meshgrid(*lines, indexing="ij"))
        return grid + self._warp[:, *box] if bent else grid

    def coverage(self, distance: Floats) -> Floats:
        """The part of each voxel that lies inside, 0 to 1: a smooth edge one voxel wide."""
        share: Floats = np.clip(0.5 - distance / self._edge, 0, 1)
        return share

    def paint(self, box: Box, distance: Floats, value: float | Floats) -> None:
        """Cover what lies inside with `value` (one number, or an array of the box)."""
        share = self.coverage(distance)
        region = self.values[box]
        region += share * (value - region)


def ellipsoid(places: Floats, centre: Point, radii: Point, turn: Point = (0, 0, 0)) -> Floats:
    """Distance to an ellipsoid turned by `turn` degrees about x, y and z (close to it, a good estimate)."""
    matrix = Rotation.from_euler("xyz", turn, degrees=True).as_matrix().T.astype(np.float32)
    offset = places - _column(centre)
    scaled = np.tensordot(matrix, offset, axes=1) / _column(radii)
    far = np.sqrt((scaled**2).sum(axis=0)) + np.float32(1e-6)
    steep = np.sqrt(((scaled / _column(radii)) ** 2).sum(axis=0)) + np.float32(1e-6)
    distance: Floats = far * (far - 1) / steep
    return distance


def tube(places: Floats, points: Sequence[Point], radii: Sequence[float] | NDArray[np.float64]) -> Floats:
    """Distance to a tube along the polyline `points`, whose radius changes linearly between them."""
    nearest = np.full(places.shape[1:], np.inf, dtype=np.float32)
    for (start, stop), (first, last) in zip(pairwise(points), pairwise(radii), strict=True):
        axis = np.subtract(stop, start).astype(np.float32)
        offset = places - _column(start)
        along = np.clip(np.tensordot(axis, offset, axes=1) / max(float(axis @ axis), 1e-6), 0, 1)
        away = np.sqrt(((offset - axis[:, None, None, None] * along) ** 2).sum(axis=0))
        np.minimum(nearest, away - (first + along * (last - first)), out=nearest)
    return nearest


def smooth_path(points: Sequence[Point], steps: int) -> NDArray[np.float64]:
    """A Catmull-Rom curve through `points`, `steps` pieces between each two; (n, 3)."""
    known = np.asarray(points, dtype=float)
    padded = np.vstack([2 * known[0] - known[1], known, 2 * known[-1] - known[-2]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    pieces = [
        b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
        for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:], strict=False)
    ]
    return np.vstack([*pieces, known[-1:]])


def _column(values: Point) -> Floats:
    return np.asarray(values, dtype=np.float32)[:, None, None, None]
