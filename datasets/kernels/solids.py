"""What a phantom is made of: its tables, distances to solid shapes, and fields that are known on lattices.

See `datasets.kernels.phantom`, which paints it. Numba's cache looks at a kernel's own file only: whoever
changes this one clears `datasets/kernels/__pycache__`, or `phantom` goes on with what it was compiled with.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from datasets.kernels.lean import inlined, kernel

Doubles = NDArray[np.float64]
Integers = NDArray[np.int64]

TILE = 32  # nodes of the periodic texture along each axis, a power of two
ELLIPSOID, CAPSULE = 0, 1
PAINT, PACK = 0, 1
ANYWHERE, CAVITY, BODY, CHEST, WALL = 0, 1, 2, 3, 4
WARP_X, WARP_Y, WARP_Z, SKIN, OUTER, INNER, DIAPHRAGM, PERITONEUM = range(8)
AIR_, FAT_, SKIN_, MUSCLE_, LUNG_, TABLE_, FLUID_ = range(7)


class Grid(NamedTuple):
    """The voxels: position of the first, and steps, in millimetres. `edge`: mean step."""

    origin: Doubles
    step: Doubles
    edge: float


class Lattice(NamedTuple):
    """Smooth fields known at the nodes of a coarse lattice; see WARP_X and so on.

    `fields`: float32 (x, y, z, 8), flat; `nodes`: x, y, z. `stretch`: how much farther apart the bending can
    carry two places.
    """

    fields: NDArray[np.float32]
    nodes: Integers
    origin: Doubles
    step: float
    stretch: float


class Backdrop(NamedTuple):
    """What fills the body before any shape is painted.

    `values` and `labels` of AIR_ ... FLUID_; `table` (x, y): share of each column that is table;
    `free_fluid`: depth under the peritoneum and height up to which ascites stands; `upwards`: +1 supine.
    """

    values: Doubles
    labels: NDArray[np.uint8]
    table: NDArray[np.float32]
    free_fluid: Doubles
    skin_mm: float
    upwards: float


class Shapes(NamedTuple):
    """One row a shape. `layers` (shape, 4, 6): inset, value, label, grain, gas value, gas label (or -1)."""

    mode: Integers
    stiff: Integers
    clip: Integers
    clip_margin: Doubles
    blend: Doubles
    gap: Doubles
    kin: Integers
    layers: Doubles
    depth: Integers


class Parts(NamedTuple):
    """One row an ellipsoid or capsule, in painting order; `numbers` (part, 16), see `distance_to`."""

    kind: Integers
    shape: Integers
    rank: Integers
    numbers: Doubles
    reach: Doubles
    share: Doubles


class Room(NamedTuple):
    """Memory to work in. Numbers of parts, as many as there are: `everything`, those that matter in a region
    (`regional`), in a block (`chosen`), and to a voxel (`packed`, so `far` away). `at`: the lattice's fields,
    `mixed`: value and label of a voxel."""

    everything: Integers
    regional: Integers
    chosen: Integers
    packed: Integers
    far: Doubles
    at: Doubles
    mixed: Doubles

    @classmethod
    def of(cls, parts: int) -> "Room":
        """For so many parts."""
        regional, chosen, packed = np.empty((3, parts), np.int64)
        return cls(np.arange(parts), regional, chosen, packed, np.empty(parts), np.empty(8), np.empty(2))


@inlined
def diagonal_of(grid: Grid) -> float:
    """Of a voxel."""
    x, y, z = grid.step[0], grid.step[1], grid.step[2]
    return np.sqrt(x * x + y * y + z * z)


@inlined
def distance_to(kind: int, n: Doubles, x: float, y: float, z: float) -> float:
    """Ellipsoid: centre 0-2, turned and scaled axes 3-11, 1/radii 12-14. Capsule: start 0-2, axis 3-5,
    1/length² 6, radius 7 and its change 8. 15: level of the fluid."""
    dx, dy, dz = x - n[0], y - n[1], z - n[2]
    if kind == 0:
        a = n[3] * dx + n[4] * dy + n[5] * dz
        b = n[6] * dx + n[7] * dy + n[8] * dz
        c = n[9] * dx + n[10] * dy + n[11] * dz
        far = np.sqrt(a * a + b * b + c * c) + 1e-9
        a, b, c = a * n[12], b * n[13], c * n[14]
        return far * (far - 1.0) / (np.sqrt(a * a + b * b + c * c) + 1e-9)
    along = min(max((dx * n[3] + dy * n[4] + dz * n[5]) * n[6], 0.0), 1.0)
    dx -= n[3] * along
    dy -= n[4] * along
    dz -= n[5] * along
    return np.sqrt(dx * dx + dy * dy + dz * dz) - n[7] - n[8] * along


@kernel
def nearest_possible(kind: int, n: Doubles, x: float, y: float, z: float, radius: float) -> float:
    """No point within `radius` of (x, y, z) is nearer to the part than this."""
    if kind == 0:
        dx, dy, dz = x - n[0], y - n[1], z - n[2]
        a = n[3] * dx + n[4] * dy + n[5] * dz
        b = n[6] * dx + n[7] * dy + n[8] * dz
        c = n[9] * dx + n[10] * dy + n[11] * dz
        least = 1.0 / max(n[12], n[13], n[14])
        return (np.sqrt(a * a + b * b + c * c) - 1.0) * least - radius
    taper = abs(n[8]) * np.sqrt(n[6])
    return distance_to(kind, n, x, y, z) - radius * (1.0 + taper)


@inlined
def union(a: float, b: float, blend: float) -> float:
    if blend <= 0.0:
        return min(a, b)
    h = max(blend - abs(a - b), 0.0)
    return min(a, b) - h * h / (4.0 * blend)


@inlined
def share_inside(distance: float, edge: float) -> float:
    return min(max(0.5 - distance / edge, 0.0), 1.0)


@inlined
def look_up(lattice: Lattice, x: float, y: float, z: float, found: Doubles) -> None:
    """All eight fields at a place, trilinear; beyond the lattice its border goes on."""
    f = lattice.fields
    u = min(max((x - lattice.origin[0]) / lattice.step, 0.0), lattice.nodes[0] - 1.001)
    v = min(max((y - lattice.origin[1]) / lattice.step, 0.0), lattice.nodes[1] - 1.001)
    w = min(max((z - lattice.origin[2]) / lattice.step, 0.0), lattice.nodes[2] - 1.001)
    i, j, k = int(u), int(v), int(w)
    u, v, w = u - i, v - j, w - k
    along = np.uint64(8)
    here = np.uint64(((i * lattice.nodes[1] + j) * lattice.nodes[2] + k) * 8)
    right, up = np.uint64(lattice.nodes[1] * lattice.nodes[2] * 8), np.uint64(lattice.nodes[2] * 8)
    w00, w01 = (1.0 - u) * (1.0 - v), (1.0 - u) * v
    w10, w11 = u * (1.0 - v), u * v
    for field in range(8):
        n = here + np.uint64(field)
        low = w00 * f[n] + w01 * f[n + up] + w10 * f[n + right] + w11 * f[n + right + up]
        n += along
        high = w00 * f[n] + w01 * f[n + up] + w10 * f[n + right] + w11 * f[n + right + up]
        found[np.uint64(field)] = low + w * (high - low)


@inlined
def grain_at(tile: NDArray[np.float32], x: float, y: float, z: float, cell: float) -> float:
    """A periodic random field of deviation about 1, flat, known at the TILE³ nodes of a cube, trilinear."""
    u, v, w = x / cell + 4096.0, y / cell + 4096.0, z / cell + 4096.0
    i, j, k = int(u), int(v), int(w)
    u, v, w = u - i, v - j, w - k
    mask = TILE - 1
    i0, i1 = (i & mask) * (TILE * TILE), ((i + 1) & mask) * (TILE * TILE)
    j0, j1 = (j & mask) * TILE, ((j + 1) & mask) * TILE
    k0, k1 = k & mask, (k + 1) & mask
    low = (tile[np.uint64(i0 + j0 + k0)] * (1 - w) + tile[np.uint64(i0 + j0 + k1)] * w) * (1 - v) + (
        tile[np.uint64(i0 + j1 + k0)] * (1 - w) + tile[np.uint64(i0 + j1 + k1)] * w
    ) * v
    high = (tile[np.uint64(i1 + j0 + k0)] * (1 - w) + tile[np.uint64(i1 + j0 + k1)] * w) * (1 - v) + (
        tile[np.uint64(i1 + j1 + k0)] * (1 - w) + tile[np.uint64(i1 + j1 + k1)] * w
    ) * v
    return low * (1 - u) + high * u


@inlined
def clipped(distance: float, clip: int, margin: float, at: Doubles) -> float:
    if clip == 1:
        return max(distance, at[INNER] + margin, at[DIAPHRAGM] + margin)
    if clip == 2:
        return max(distance, at[SKIN] + margin)
    if clip == 3:
        return max(distance, at[INNER] + margin, margin - at[DIAPHRAGM])
    if clip == 4:
        return max(distance, at[OUTER] + margin)
    return distance


@inlined
def toned(value: float, hounsfield: Doubles, grey: Doubles) -> float:
    """Piecewise linear."""
    last = hounsfield.size - 1
    value = min(max(value, hounsfield[0]), hounsfield[last])
    k = 0
    while k < last - 1 and value > hounsfield[k + 1]:
        k += 1
    share = (value - hounsfield[k]) / (hounsfield[k + 1] - hounsfield[k])
    return grey[k] + share * (grey[k + 1] - grey[k])
