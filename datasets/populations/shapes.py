"""Solid shapes, collected in the order in which they are painted.

A shape is the smooth union of ellipsoids and capsules, filled with layers from its surface inwards. Lengths
are millimetres, positions are towards right, anterior and superior, values are Hounsfield units.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from datasets.kernels import solids

Point = Sequence[float] | NDArray[np.float64]
MOST_LAYERS = 4
ALL = 1 << 20


@dataclass(frozen=True)
class Part:
    """An ellipsoid or a capsule; `numbers` as in `datasets.kernels.solids`, `thickness` its least radius."""

    kind: int
    numbers: NDArray[np.float64]
    thickness: tuple[float, ...]


@dataclass(frozen=True)
class Layer:
    """What fills a shape from `inset` below its surface on, with a `grain` (a deviation) of its own.

    With `gas` (value, label), `value` and `label` are a fluid that stands up to the part's level.
    """

    value: float
    label: int
    inset: float = 0.0
    grain: float = 0.0
    gas: tuple[float, int] | None = None


@dataclass(frozen=True)
class Shape:
    """How parts are painted: see `Composition.paint` and `Composition.pack`."""

    parts: Sequence[Part]
    layers: Sequence[Layer]
    mode: int
    blend: float
    clip: int
    margin: float
    gap: float = 0.0
    stiff: int = 0
    kin: int = ALL


def ellipsoid(centre: Point, radii: Point, turn: Point = (0, 0, 0), level: float = 0.0) -> Part:
    """An ellipsoid turned by `turn` degrees about x, y and z; `level`: how high a fluid stands in it."""
    size = np.maximum(np.asarray(radii, dtype=float), 0.05)
    turned = Rotation.from_euler("xyz", turn, degrees=True).as_matrix().T / size[:, None]
    numbers = np.concatenate([np.asarray(centre, dtype=float), turned.ravel(), 1 / size, [level]])
    return Part(solids.ELLIPSOID, numbers, tuple(size))


def capsule(start: Point, stop: Point, first: float, last: float, level: float = 0.0) -> Part:
    """A rod with round ends whose radius goes from `first` to `last`."""
    begin, axis = np.asarray(start, dtype=float), np.subtract(stop, start).astype(float)
    length = max(float(axis @ axis), 1e-6)
    numbers = np.zeros(16)
    numbers[:9] = [*begin, *axis, 1 / length, first, last - first]
    numbers[15] = level
    return Part(solids.CAPSULE, numbers, (0.5 * (first + last),) * 2)


def tube(
    points: Sequence[Point] | NDArray[np.float64], radii: Sequence[float] | NDArray[np.float64]
) -> list[Part]:
    """Capsules along a polyline."""
    return [
        capsule(start, stop, first, last)
        for (start, stop), (first, last) in zip(pairwise(points), pairwise(radii), strict=True)
    ]


def beside(place: Point, x: float, y: float, z: float) -> NDArray[np.float64]:
    """The place so many millimetres from another."""
    moved: NDArray[np.float64] = np.asarray(place, dtype=float) + np.array([x, y, z], dtype=float)
    return moved


def smooth_path(points: Sequence[Point] | NDArray[np.float64], steps: int) -> NDArray[np.float64]:
    """A Catmull-Rom curve through `points`, `steps` pieces between each two; (n, columns)."""
    known = np.asarray(points, dtype=float)
    padded = np.vstack([2 * known[0] - known[1], known, 2 * known[-1] - known[-2]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    pieces = [
        b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
        for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:], strict=False)
    ]
    return np.vstack([*pieces, known[-1:]])


@dataclass
class Composition:
    """Shapes in painting order; all `pack`ed ones in a row share the space between them."""

    shapes: list[Shape] = field(default_factory=list)

    def paint(
        self,
        parts: Sequence[Part],
        *layers: Layer,
        blend: float = 0.0,
        clip: int = solids.ANYWHERE,
        margin: float = 0.0,
    ) -> None:
        """Cover whatever is there. `clip`: the region that the shape ends in, `margin` before its border."""
        self.shapes.append(Shape(parts, layers, solids.PAINT, blend, clip, margin))

    def pack(
        self,
        parts: Sequence[Part],
        *layers: Layer,
        blend: float = 0.0,
        margin: float = 1.5,
        gap: float = 1.0,
        stiff: int = 0,
        kin: int = ALL,
        clip: int = solids.CAVITY,
    ) -> None:
        """Share the space with the other packed shapes, `gap` apart; the less `stiff` one gives way.

        Parts of one shape whose ranks are at most `kin` apart join, others keep apart like strangers.
        Without layers it only pushes.
        """
        self.shapes.append(Shape(parts, layers, solids.PACK, blend, clip, margin, gap, stiff, kin))

    def arrays(self, edge: float) -> tuple[solids.Shapes, solids.Parts]:
        """What the renderer takes, for voxels of about `edge` millimetres."""
        shapes = [shape for shape in self.shapes if shape.parts]
        return _shapes(shapes), _parts(shapes, edge)


def _shapes(shapes: Sequence[Shape]) -> solids.Shapes:
    layers = np.zeros((len(shapes), MOST_LAYERS, 6))
    for row, shape in zip(layers, shapes, strict=True):
        for line, layer in zip(row, shape.layers, strict=False):
            gas = layer.gas or (0.0, -1)
            line[:] = (layer.inset, layer.value, layer.label, layer.grain, *gas)
    return solids.Shapes(
        mode=np.array([shape.mode for shape in shapes]),
        stiff=np.array([shape.stiff for shape in shapes]),
        clip=np.array([shape.clip for shape in shapes]),
        clip_margin=np.array([shape.margin for shape in shapes], dtype=float),
        blend=np.array([shape.blend for shape in shapes], dtype=float),
        gap=np.array([shape.gap for shape in shapes], dtype=float),
        kin=np.array([shape.kin for shape in shapes]),
        layers=layers,
        depth=np.array([len(shape.layers) for shape in shapes]),
    )


def _parts(shapes: Sequence[Shape], edge: float) -> solids.Parts:
    rows = [
        (index, rank, part) for index, shape in enumerate(shapes) for rank, part in enumerate(shape.parts)
    ]
    reach = [_reach(shape, shapes, edge) for shape in shapes]
    return solids.Parts(
        kind=np.array([part.kind for _, _, part in rows]),
        shape=np.array([index for index, _, _ in rows]),
        rank=np.array([rank for _, rank, _ in rows]),
        numbers=np.array([part.numbers for _, _, part in rows]),
        reach=np.array([reach[index] for index, _, _ in rows]),
        share=np.array([_thin(part.thickness, edge) for _, _, part in rows]),
    )


def _reach(shape: Shape, shapes: Sequence[Shape], edge: float) -> float:
    """How far from its surface a part can still change a voxel, directly or by pushing another shape."""
    own = 0.6 * edge + 1.6 * shape.blend
    if shape.mode == solids.PAINT:
        return own
    return max([own, *(_push(shape, other, edge) for other in shapes if other.mode == solids.PACK)])


def _push(shape: Shape, other: Shape, edge: float) -> float:
    """How far off `shape` still moves a layer of `other`."""
    deepest = max((layer.inset for layer in other.layers), default=0.0)
    gap = 0.5 * (shape.gap + other.gap)
    if shape.stiff > other.stiff:
        return gap + deepest + 0.6 * edge
    return gap + 2 * deepest + 1.6 * edge if shape.stiff == other.stiff else 0.0


def _thin(radii: Sequence[float], edge: float) -> float:
    """The share of a voxel that something thinner than it can fill at most."""
    return float(np.prod([min(1.0, 2 * radius / edge) for radius in radii]))
