"""The brain of one person, voxel by voxel: sampling of the maps, tissue shares and grey values in one pass.

Every voxel is a pure function of its own place, so that a volume may be rendered in slabs of any size, by any
number of threads, with the same bits. Nothing of the size of the volume is held but what comes out.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from datasets.kernels.lean import inlined, kernel

Doubles = NDArray[np.float64]
Bytes = NDArray[np.uint8]
Singles = NDArray[np.float32]

MAPS = 8  # channels of the atlas:
GREY, WHITE, BRAIN, DETAIL, VENTRICLE, NUCLEI, CEREBELLUM, RIM = range(MAPS)
EXTRAS = 4  # channels of what a person has besides:
CYST, VESSEL, CALCIUM, GLIOSIS = range(EXTRAS)
MM = 4.0  # steps of a distance channel in a millimetre
ZERO = 128.0  # where a signed channel is 0
FLUID_, GREY_, WHITE_, VESSEL_, CALCIUM_, GLIOSIS_ = range(6)
CSF, GREY_MATTER, WHITE_MATTER, VENTRICLES, VESSELS, SKULL, SCALP, AIR = range(1, 9)
SHARES = 6
VALUE, DEEP, INSIDE, COVER, EDGE, GAIN, OUTER, SUMS = range(SHARES, SHARES + 8)
RAGGED = 0.10  # how uneven the edge of a stripped brain is


class Grid(NamedTuple):
    """The voxels: position of the first, and steps, in millimetres; samples in a voxel along each axis."""

    origin: Doubles
    step: Doubles
    samples: NDArray[np.int64]


class Bend(NamedTuple):
    """Where in the atlas a place lies: `affine` (3, 4), plus displacements known at nodes (n, n, n, 4).

    The fourth field is the logarithm of the coil's sensitivity. `origin` and `step` of the nodes in mm.
    """

    affine: Doubles
    fields: Singles
    origin: float
    step: float


class Look(NamedTuple):
    """How tissue looks. `values`: grey values of FLUID_ ... GLIOSIS_; `detail`: share of the template's own
    deviation from its tissues that shows; `widening` of sulci and `narrowing` of white matter, in logits;
    `caps`: pallor of the ventricles' border; `stripping`: how generous it is; `folia`: frequency, phase, and
    y, z, x in voxels of the axis of the cerebellum's sheets.
    """

    values: Doubles
    sharpening: float
    detail: float
    widening: float
    narrowing: float
    caps: float
    texture: float
    stripping: float
    folia: Doubles


class Around(NamedTuple):
    """What lies around the brain: grey values (x, y, z) and labels, empty where the brain is stripped.

    `offset`: from the atlas's voxels to these. Below the lowest plane is its mirror image (more neck).
    """

    values: Singles
    labels: Bytes
    offset: Doubles


class Room(NamedTuple):
    """Memory to work in, of one thread. `lines`: the bending over each sample of a line of voxels."""

    place: Doubles
    found: Doubles
    extra: Doubles
    noise: Doubles
    shares: Doubles
    sums: Doubles
    nearest: NDArray[np.int64]
    lines: Singles

    @classmethod
    def of(cls, grid: Grid, bend: Bend) -> "Room":
        """For such voxels."""
        place, found, extra, noise = np.empty(4), np.empty(MAPS), np.empty(EXTRAS), np.empty(4)
        lines = np.empty((*grid.samples[:2], *bend.fields.shape[2:]), np.float32)
        return cls(place, found, extra, noise, np.empty(SHARES), np.empty(SUMS), np.zeros(1, np.int64), lines)


@inlined
def _bend_line(bend: Bend, x: float, y: float, line: Singles) -> None:
    """Displacements and sensitivity at the nodes over a place (x, y), bilinear: (n, 4)."""
    f = bend.fields
    last = f.shape[0] - 1.001
    u = min(max((x - bend.origin) / bend.step, 0.0), last)
    v = min(max((y - bend.origin) / bend.step, 0.0), last)
    i, j = int(u), int(v)
    u, v = np.float32(u - i), np.float32(v - j)
    one = np.float32(1)
    for k in range(f.shape[2]):
        for n in range(4):
            line[k, n] = (f[i, j, k, n] * (one - v) + f[i, j + 1, k, n] * v) * (one - u) + (
                f[i + 1, j, k, n] * (one - v) + f[i + 1, j + 1, k, n] * v
            ) * u


@inlined
def _bent(bend: Bend, line: Singles, x: float, y: float, z: float, found: Doubles) -> None:
    """Place in the atlas (0 to 2) and logarithm of the sensitivity (3)."""
    w = min(max((z - bend.origin) / bend.step, 0.0), line.shape[0] - 1.001)
    k = np.uint64(w)
    w -= k
    next_ = k + np.uint64(1)
    for n in range(4):
        m = np.uint64(n)
        found[m] = line[k, m] + w * (line[next_, m] - line[k, m])
    a = bend.affine
    for n in range(3):
        found[n] += a[n, 0] * x + a[n, 1] * y + a[n, 2] * z + a[n, 3]


@inlined
def _sampled(maps: Bytes, place: Doubles, first: int, stop: int, found: Doubles) -> None:
    """Channels `first` to `stop` at a place inside, trilinear (indices without a sign are faster)."""
    i, j, k = np.uint64(place[0]), np.uint64(place[1]), np.uint64(place[2])
    u, v, w = np.float32(place[0] - i), np.float32(place[1] - j), np.float32(place[2] - k)
    o, one = np.uint64(1), np.float32(1)
    a, b, c, d = (one - u) * (one - v), (one - u) * v, u * (one - v), u * v
    for m in range(first, stop):
        n = np.uint64(m)
        low = (
            a * maps[i, j, k, n]
            + b * maps[i, j + o, k, n]
            + c * maps[i + o, j, k, n]
            + d * maps[i + o, j + o, k, n]
        )
        high = (
            a * maps[i, j, k + o, n]
            + b * maps[i, j + o, k + o, n]
            + c * maps[i + o, j, k + o, n]
            + d * maps[i + o, j + o, k + o, n]
        )
        found[n] = low + w * (high - low)


@inlined
def _noise(tile: Singles, x: float, y: float, z: float, found: Doubles) -> None:
    """The channels of a periodic random field (n, n, n, 4) at a place in cells, trilinear."""
    size = tile.shape[0]
    fx, fy, fz = np.floor(x), np.floor(y), np.floor(z)
    u, v, w = np.float32(x - fx), np.float32(y - fy), np.float32(z - fz)
    i, j, k = np.uint64(int(fx) % size), np.uint64(int(fy) % size), np.uint64(int(fz) % size)
    o, end, one = np.uint64(1), np.uint64(size), np.float32(1)
    i1, j1, k1 = (i + o) % end, (j + o) % end, (k + o) % end
    a, b, c, d = (one - u) * (one - v), (one - u) * v, u * (one - v), u * v
    for m in range(4):
        n = np.uint64(m)
        low = a * tile[i, j, k, n] + b * tile[i, j1, k, n] + c * tile[i1, j, k, n] + d * tile[i1, j1, k, n]
        high = (
            a * tile[i, j, k1, n] + b * tile[i, j1, k1, n] + c * tile[i1, j, k1, n] + d * tile[i1, j1, k1, n]
        )
        found[n] = low + w * (high - low)


@inlined
def _fissure(look: Look, place: Doubles, wobble: float) -> float:
    """-1 amid a cerebellar folium, 1 in a fissure: sheets that radiate from the fourth ventricle."""
    f = look.folia
    y, z = place[1] - f[2], place[2] - f[3]
    turn = np.arctan2(z, -y)
    return np.cos(f[0] * turn + f[1] + 0.9 * wobble + 0.05 * abs(place[0] - f[4]))


@inlined
def _foliate(look: Look, place: Doubles, depth: float, folia: float, wobble: float, shares: Doubles) -> None:
    """Fissures from the surface of the cerebellum inwards, and a leaf of white matter within each folium."""
    wave = _fissure(look, place, wobble)
    open_ = folia * min(max(wave - 0.35, 0.0) * 1.5, 1.0) * min(max(1.0 - depth / 16.0, 0.0), 0.75)
    leaf = folia * min(max(-wave - 0.45, 0.0) * 2.0, 1.0) * min(max((depth - 2.0) / 8.0, 0.0), 0.85)
    moved = shares[GREY_] * open_
    shares[GREY_] -= moved
    shares[FLUID_] += moved
    moved = shares[GREY_] * leaf
    shares[GREY_] -= moved
    shares[WHITE_] += moved


@inlined
def _tissues(found: Doubles, noise: Doubles, look: Look, place: Doubles, shares: Doubles) -> None:
    """Shares of fluid, grey and white matter: the template's probabilities, made crisp and individual."""
    grey, white = found[GREY] / 255.0, found[WHITE] / 255.0
    fluid = max(1.0 - grey - white, 0.0)
    doubt = max(fluid * (1.0 - fluid), grey * (1.0 - grey), white * (1.0 - white)) * 4.0
    deep = found[NUCLEI] / 255.0
    folia = found[CEREBELLUM] / 255.0
    sharp = look.sharpening * (1.0 - 0.55 * deep)
    doubt *= 1.0 - 0.8 * deep
    a = sharp * np.log(fluid + 0.02) + doubt * min(noise[0] + look.widening, 2.8)
    b = sharp * np.log(grey + 0.02) + doubt * noise[1]
    c = sharp * np.log(white + 0.02) + doubt * (noise[2] - look.narrowing)
    top = max(a, b, c)
    a, b, c = np.exp(a - top), np.exp(b - top), np.exp(c - top)
    total = a + b + c
    shares[FLUID_], shares[GREY_], shares[WHITE_] = a / total, b / total, c / total
    if folia > 0.02:
        _foliate(look, place, found[RIM] / MM, folia, noise[3], shares)


@inlined
def _besides(
    extras: Bytes, place: Doubles, distance: float, look: Look, found: Doubles, shares: Doubles
) -> None:
    """Cysts, gliosis, vessels and calcium take their share of what is there."""
    for n in range(SHARES - 3):
        shares[3 + n] = 0.0
    _sampled(extras, place, 0, EXTRAS, found)
    pale = min(found[GLIOSIS] / 255.0 + look.caps * np.exp(-max(distance, 0.0) / 2.2), 1.0)
    shares[GLIOSIS_] = shares[WHITE_] * pale
    shares[WHITE_] -= shares[GLIOSIS_]
    cyst = found[CYST] / 255.0
    if cyst > 0.0:
        for n in range(SHARES):
            shares[n] *= 1.0 - cyst
        shares[FLUID_] += cyst
    for source, target in ((VESSEL, VESSEL_), (CALCIUM, CALCIUM_)):
        part = found[source] / 255.0
        if part > 0.0:
            for n in range(SHARES):
                shares[n] *= 1.0 - part
            shares[target] += part


@inlined
def _inside(place: Doubles, maps: Bytes) -> bool:
    x, y, z, _ = maps.shape
    low = min(place[0], place[1], place[2])
    return low >= 0.0 and place[0] < x - 1.001 and place[1] < y - 1.001 and place[2] < z - 1.001


@inlined
def _surroundings(around: Around, place: Doubles) -> tuple[float, int]:
    """Grey value, trilinear, and label of the nearest voxel."""
    values = around.values
    x, y = place[0] + around.offset[0], place[1] + around.offset[1]
    z = min(abs(place[2] + around.offset[2]), values.shape[2] - 1.001)
    if x < 0.0 or y < 0.0 or x >= values.shape[0] - 1.001 or y >= values.shape[1] - 1.001:
        return 0.0, 0
    i, j, k = int(x), int(y), int(z)
    u, v, w = x - i, y - j, z - k
    low = (values[i, j, k] * (1 - w) + values[i, j, k + 1] * w) * (1 - v) + (
        values[i, j + 1, k] * (1 - w) + values[i, j + 1, k + 1] * w
    ) * v
    high = (values[i + 1, j, k] * (1 - w) + values[i + 1, j, k + 1] * w) * (1 - v) + (
        values[i + 1, j + 1, k] * (1 - w) + values[i + 1, j + 1, k + 1] * w
    ) * v
    return low * (1 - u) + high * u, int(around.labels[int(x + 0.5), int(y + 0.5), int(z + 0.5)])


@inlined
def _label(sums: Doubles, ventricle: float) -> int:
    if sums[VESSEL_] + sums[CALCIUM_] > 0.5:
        return VESSELS
    white = sums[WHITE_] + sums[GLIOSIS_]
    if sums[FLUID_] >= max(sums[GREY_], white):
        return VENTRICLES if ventricle > 0.5 else CSF
    return GREY_MATTER if sums[GREY_] >= white else WHITE_MATTER


@inlined
def _settle(
    image: Singles,
    labels: Bytes,
    edge: Singles,
    i: int,
    j: int,
    k: int,
    many: float,
    look: Look,
    sums: Doubles,
    nearest: NDArray[np.int64],
    whole: bool,
) -> None:
    """Grey value, label and share of brain of a voxel from the sums over its samples."""
    inside = sums[INSIDE]
    sensitivity = np.exp(sums[GAIN] / many)
    edge[i, j, k] = sums[EDGE] / many
    cover = sums[COVER] / many
    value, label = look.values[FLUID_], 0
    if inside > 0.0:
        value = sums[VALUE] / inside
        for n in range(SHARES):
            sums[n] /= inside
            value += sums[n] * look.values[n]
        label = _label(sums, sums[DEEP] / inside)
    if whole:
        value = cover * value + sums[OUTER] / many
        if cover < 0.5:
            label = nearest[0]
    image[i, j, k] = value * sensitivity
    labels[i, j, k] = label


@kernel
def render(
    image: Singles,
    labels: Bytes,
    edge: Singles,
    first: int,
    grid: Grid,
    bend: Bend,
    maps: Bytes,
    extras: Bytes,
    tile: Singles,
    turn: Doubles,
    look: Look,
    around: Around,
    room: Room,
) -> None:
    """Fill the slab (x, y, z) of a volume whose first plane is plane `first`.

    `image`: grey value, weighted by sensitivity; outside a stripped brain the fluid's. `labels`: 0 outside.
    `edge`: above 0.5 where the brain is left by stripping. `turn` (3, 3): millimetres to cells of `tile`.
    """
    place, found, extra, noise = room.place, room.found, room.extra, room.noise
    shares, sums, nearest, lines = room.shares, room.sums, room.nearest, room.lines
    whole = around.values.size > 0
    px, py, pz = grid.samples[0], grid.samples[1], grid.samples[2]
    origin, step = grid.origin, grid.step
    for i in range(image.shape[0]):
        for j in range(image.shape[1]):
            for a in range(px):
                x = origin[0] + (first + i + (a + 0.5) / px - 0.5) * step[0]
                for b in range(py):
                    y = origin[1] + (j + (b + 0.5) / py - 0.5) * step[1]
                    _bend_line(bend, x, y, lines[a, b])
            for k in range(image.shape[2]):
                for n in range(SUMS):
                    sums[n] = 0.0
                nearest[0] = 0
                for a in range(px):
                    x = origin[0] + (first + i + (a + 0.5) / px - 0.5) * step[0]
                    for b in range(py):
                        y = origin[1] + (j + (b + 0.5) / py - 0.5) * step[1]
                        for c in range(pz):
                            z = origin[2] + (k + (c + 0.5) / pz - 0.5) * step[2]
                            _bent(bend, lines[a, b], x, y, z, place)
                            sums[GAIN] += place[3]
                            soft = 0.0
                            if _inside(place, maps):
                                _sampled(maps, place, BRAIN, BRAIN + 1, found)
                                soft = found[BRAIN] / 255.0
                            if whole and soft < 1.0:
                                value, label = _surroundings(around, place)
                                sums[OUTER] += (1.0 - soft) * value
                                nearest[0] = label
                            if soft < 0.03:
                                continue
                            _sampled(maps, place, 0, MAPS, found)
                            u = turn[0, 0] * x + turn[0, 1] * y + turn[0, 2] * z
                            v = turn[1, 0] * x + turn[1, 1] * y + turn[1, 2] * z
                            w = turn[2, 0] * x + turn[2, 1] * y + turn[2, 2] * z
                            _noise(tile, u, v, w, noise)
                            _tissues(found, noise, look, place, shares)
                            distance = (found[VENTRICLE] - ZERO) / MM
                            _besides(extras, place, distance, look, extra, shares)
                            solid = shares[GREY_] + shares[WHITE_]
                            detail = look.detail * (found[DETAIL] - ZERO) / 255.0
                            sums[VALUE] += solid * (detail + look.texture * noise[3])
                            sums[DEEP] += 1.0 if distance < 1.5 else 0.0
                            sums[INSIDE] += 1.0
                            sums[COVER] += soft
                            sums[EDGE] += soft + 4.0 * soft * (1.0 - soft) * (
                                look.stripping + RAGGED * noise[0]
                            )
                            for n in range(SHARES):
                                sums[n] += shares[n]
                if sums[INSIDE] == 0.0 and not whole:
                    image[i, j, k], labels[i, j, k], edge[i, j, k] = look.values[FLUID_], 0, 0.0
                    continue
                _settle(image, labels, edge, i, j, k, float(px * py * pz), look, sums, nearest, whole)
