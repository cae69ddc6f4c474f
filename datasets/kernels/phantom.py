"""Shapes painted into a volume, in order, block by block: the renderer of the abdominal phantom.

Positions are millimetres from the middle of the volume, distances millimetres and negative inside, values
Hounsfield units until the very end. Every voxel is a pure function of its own place, so that the volume may
be painted in slabs of any size. A shape is skipped in a block only where it cannot change a single bit.
"""

import numpy as np
from numpy.typing import NDArray

from datasets.kernels.lean import inlined, kernel
from datasets.kernels.solids import (
    AIR_,
    DIAPHRAGM,
    FAT_,
    FLUID_,
    INNER,
    LUNG_,
    MUSCLE_,
    OUTER,
    PACK,
    PERITONEUM,
    SKIN,
    SKIN_,
    TABLE_,
    WARP_X,
    WARP_Y,
    WARP_Z,
    Backdrop,
    Doubles,
    Grid,
    Integers,
    Lattice,
    Parts,
    Room,
    Shapes,
    clipped,
    diagonal_of,
    distance_to,
    grain_at,
    look_up,
    nearest_possible,
    share_inside,
    toned,
    union,
)

TABLE_SHARE = 0.15  # of a voxel from which on it counts as table: shells are thin, mattresses light
BLOCK, REGION = 4, 4  # voxels a side of a block, blocks a side of a region


@inlined
def _painted(
    mixed: Doubles,
    layers: Doubles,
    depth: int,
    distance: float,
    cover: float,
    edge: float,
    grain: float,
    height: float,
    level: float,
) -> None:
    """Cover `mixed` (value, label) with the layers of one shape; each share is multiplied by `cover`."""
    for index in range(depth):
        inset, value, label = layers[index, 0], layers[index, 1], layers[index, 2]
        rough, gas, gas_label = layers[index, 3], layers[index, 4], layers[index, 5]
        share = min(share_inside(distance + inset, edge) * cover, 1.0)
        if share > 0.0:
            if gas_label >= 0.0:
                wet = share_inside(height - level, edge)
                value = gas + wet * (value - gas)
                if wet < 0.5:
                    label = gas_label
            mixed[0] += share * (value + rough * grain - mixed[0])
            if share >= 0.5:
                mixed[1] = label


@inlined
def _fill(mixed: Doubles, share: float, value: float, label: int) -> None:
    mixed[0] += share * (value - mixed[0])
    if share >= 0.5:
        mixed[1] = label


@inlined
def _backdrop(
    mixed: Doubles,
    at: Doubles,
    back: Backdrop,
    edge: float,
    fine: float,
    coarse: float,
    height: float,
    aside: float,
) -> None:
    """Skin, fat, muscles of the wall, the fat of the cavity (or ascites), diaphragm and lungs."""
    v, names = back.values, back.labels
    _fill(mixed, share_inside(at[SKIN], edge), v[SKIN_], names[SKIN_])
    septum = max(1.0 - abs(coarse) / 0.10, 0.0) * max(1.0 - edge / 6.0, 0.0)
    _fill(
        mixed,
        share_inside(at[SKIN] + back.skin_mm, edge),
        v[FAT_] + 3.0 * fine + 32.0 * septum,
        names[FAT_],
    )
    wall = share_inside(at[OUTER], edge)
    if wall <= 0.0:
        return
    thick = max(at[INNER] - at[OUTER], 1.0)
    part = -at[OUTER] / thick
    plane = 0.0
    if thick > 8.0:
        third = min(abs(part - 0.36), abs(part - 0.68)) * thick
        plane = max(1.0 - third / (0.6 + 0.5 * edge), 0.0) * min(1.6 / edge, 1.0) * aside
    marbled = max(coarse - 1.3, 0.0) * 0.35
    lean = v[MUSCLE_] + 6.0 * fine
    _fill(mixed, wall, lean + min(0.75 * plane + marbled, 0.9) * (v[FAT_] - lean), names[MUSCLE_])
    cavity = share_inside(at[INNER], edge)
    if cavity <= 0.0:
        return
    strand = max(1.0 - abs(coarse + 0.5 * fine) / 0.07, 0.0) * max(1.0 - edge / 5.0, 0.0)
    _fill(mixed, cavity, v[FAT_] + 5.0 * fine + 26.0 * strand, names[FAT_])
    if back.free_fluid[0] > 0.0:
        under = max(at[INNER], at[DIAPHRAGM], at[PERITONEUM])
        wet = max(
            share_inside(-under - back.free_fluid[0], edge), share_inside(height - back.free_fluid[1], edge)
        )
        wet = min(wet, share_inside(under, edge), share_inside(at[PERITONEUM], edge))
        _fill(mixed, wet, v[FLUID_] + 2.0 * fine, names[FLUID_])
    chest = min(cavity, share_inside(-at[DIAPHRAGM], edge))
    _fill(mixed, chest, v[MUSCLE_], names[MUSCLE_])
    air = min(share_inside(at[INNER] + 1.5, edge), share_inside(3.0 - at[DIAPHRAGM], edge))
    _fill(mixed, air, v[LUNG_] + 22.0 * fine + 12.0 * coarse, names[LUNG_])


@inlined
def _pack(
    mixed: Doubles,
    first: int,
    stop: int,
    chosen: Integers,
    far: Doubles,
    shapes: Shapes,
    parts: Parts,
    at: Doubles,
    edge: float,
    grain: float,
    height: float,
) -> None:
    """Organs that share a space: none overlaps another, and where two want the same place they meet halfway.

    `far[first:stop]` are the distances to the parts `chosen[first:stop]`. Neighbouring parts of one organ
    are kin and join instead. The nearest organ is painted last; the second nearest fills what it leaves.
    """
    limit = 1.6 * edge + 12.0
    best = first
    for c in range(first, stop):
        if far[c] < far[best]:
            best = c
    if far[best] > limit:
        return
    second = -1
    mine, rank = parts.shape[chosen[best]], parts.rank[chosen[best]]
    for c in range(first, stop):
        other = parts.shape[chosen[c]]
        foreign = other != mine or abs(parts.rank[chosen[c]] - rank) > shapes.kin[mine]
        if foreign and (second < 0 or far[c] < far[second]):
            second = c
    nearest = _yielding(best, first, stop, chosen, far, shapes, parts, at)
    taken = share_inside(nearest, edge)
    if second >= 0 and taken < 1.0:
        other = parts.shape[chosen[second]]
        distance = _yielding(second, first, stop, chosen, far, shapes, parts, at)
        if distance < 0.5 * edge:
            _painted(
                mixed, shapes.layers[other], shapes.depth[other], distance, 1.0 / (1.0 - taken), edge, grain,
                height, parts.numbers[chosen[second], 15],
            )  # fmt: skip
    _painted(
        mixed, shapes.layers[mine], shapes.depth[mine], nearest, 1.0, edge, grain, height,
        parts.numbers[chosen[best], 15],
    )  # fmt: skip


@inlined
def _yielding(
    c: int,
    first: int,
    stop: int,
    chosen: Integers,
    far: Doubles,
    shapes: Shapes,
    parts: Parts,
    at: Doubles,
) -> float:
    """Distance to the organ of part `c` after it gave way to all others."""
    mine, rank = parts.shape[chosen[c]], parts.rank[chosen[c]]
    own = far[c]
    for other in range(first, stop):
        part = chosen[other]
        if other != c and parts.shape[part] == mine and abs(parts.rank[part] - rank) <= shapes.kin[mine]:
            own = union(own, far[other], shapes.blend[mine])
    distance = own
    for other in range(first, stop):
        part = chosen[other]
        whose = parts.shape[part]
        if whose != mine or abs(parts.rank[part] - rank) > shapes.kin[mine]:
            gap = 0.5 * (shapes.gap[mine] + shapes.gap[whose])
            if shapes.stiff[whose] > shapes.stiff[mine]:
                distance = max(distance, gap - far[other])
            elif shapes.stiff[whose] == shapes.stiff[mine]:
                distance = max(distance, 0.5 * (own - far[other] + gap))
    return clipped(distance, shapes.clip[mine], shapes.clip_margin[mine], at)


@inlined
def _voxel(
    mixed: Doubles,
    count: int,
    chosen: Integers,
    packed: Integers,
    far: Doubles,
    shapes: Shapes,
    parts: Parts,
    x: float,
    y: float,
    z: float,
    at: Doubles,
    edge: float,
    grain: float,
    height: float,
) -> None:
    """All candidates in order. Beyond its reach a part counts for nothing."""
    c = 0
    while c < count:
        part = chosen[c]
        shape = parts.shape[part]
        if shapes.mode[shape] == PACK:
            near = 0
            while c < count and shapes.mode[parts.shape[chosen[c]]] == PACK:
                part = chosen[c]
                own = distance_to(parts.kind[part], parts.numbers[part], x, y, z)
                if own <= parts.reach[part]:
                    packed[near], far[near] = part, own
                    near += 1
                c += 1
            if near > 0:
                _pack(mixed, 0, near, packed, far, shapes, parts, at, edge, grain, height)
            continue
        best, distance, nearest = part, 1e9, 1e9
        while c < count and parts.shape[chosen[c]] == shape:
            part = chosen[c]
            own = distance_to(parts.kind[part], parts.numbers[part], x, y, z)
            if own < nearest:
                nearest, best = own, part
            if own <= parts.reach[part]:
                distance = union(distance, own, shapes.blend[shape])
            c += 1
        distance = clipped(distance, shapes.clip[shape], shapes.clip_margin[shape], at)
        if distance < 0.5 * edge:
            _painted(
                mixed, shapes.layers[shape], shapes.depth[shape], distance, parts.share[best], edge, grain,
                height, parts.numbers[best, 15],
            )  # fmt: skip


@kernel
def _narrowed(
    kept: Integers, known: Integers, count: int, parts: Parts, x: float, y: float, z: float, radius: float
) -> int:
    """Those of the first `count` parts of `known` that matter within `radius` of a place, in order."""
    found = 0
    for c in range(count):
        part = known[c]
        if nearest_possible(parts.kind[part], parts.numbers[part], x, y, z, radius) <= parts.reach[part]:
            kept[found] = part
            found += 1
    return found


@kernel
def render(
    image: NDArray[np.float32],
    labels: NDArray[np.uint8],
    foreground: NDArray[np.bool_],
    first: int,
    grid: Grid,
    lattice: Lattice,
    back: Backdrop,
    shapes: Shapes,
    parts: Parts,
    tile: NDArray[np.float32],
    hounsfield: Doubles,
    grey: Doubles,
    room: Room,
) -> None:
    """Paint the slab (x, y, z) of a volume whose first plane is plane `first`; toned at the end."""
    nx, ny, nz = image.shape
    at = room.at
    size = BLOCK * REGION
    diagonal = 0.5 * diagonal_of(grid)
    for rx in range(0, nx, size):
        for ry in range(0, ny, size):
            for rz in range(0, nz, size):
                x = grid.origin[0] + (first + rx + 0.5 * (size - 1)) * grid.step[0]
                y = grid.origin[1] + (ry + 0.5 * (size - 1)) * grid.step[1]
                z = grid.origin[2] + (rz + 0.5 * (size - 1)) * grid.step[2]
                look_up(lattice, x, y, z, at)
                nearby = _narrowed(
                    room.regional, room.everything, parts.kind.size, parts,
                    x + at[WARP_X], y + at[WARP_Y], z + at[WARP_Z], size * diagonal * lattice.stretch,
                )  # fmt: skip
                for bx in range(rx, min(rx + size, nx), BLOCK):
                    for by in range(ry, min(ry + size, ny), BLOCK):
                        for bz in range(rz, min(rz + size, nz), BLOCK):
                            _block(
                                image, labels, foreground, first, bx, by, bz, grid, lattice, back, shapes,
                                parts, tile, hounsfield, grey, nearby, room,
                            )  # fmt: skip


@kernel
def _block(
    image: NDArray[np.float32],
    labels: NDArray[np.uint8],
    foreground: NDArray[np.bool_],
    first: int,
    bx: int,
    by: int,
    bz: int,
    grid: Grid,
    lattice: Lattice,
    back: Backdrop,
    shapes: Shapes,
    parts: Parts,
    tile: NDArray[np.float32],
    hounsfield: Doubles,
    grey: Doubles,
    nearby: int,
    room: Room,
) -> None:
    chosen, at, mixed = room.chosen, room.at, room.mixed
    edge = grid.edge
    half = 0.5 * (BLOCK - 1)
    x = grid.origin[0] + (first + bx + half) * grid.step[0]
    y = grid.origin[1] + (by + half) * grid.step[1]
    z = grid.origin[2] + (bz + half) * grid.step[2]
    radius = 0.5 * BLOCK * diagonal_of(grid) * lattice.stretch
    look_up(lattice, x, y, z, at)
    if at[SKIN] > 3.0 * radius + edge:
        count = 0
        outside = True
    else:
        outside = False
        count = _narrowed(
            chosen, room.regional, nearby, parts, x + at[WARP_X], y + at[WARP_Y], z + at[WARP_Z], radius
        )
    coarse_weight = 1.0 / (1.0 + (edge / 9.0) ** 2)
    fine_weight = 1.0 / (1.0 + (edge / 3.0) ** 2)
    for i in range(bx, min(bx + BLOCK, image.shape[0])):
        x = grid.origin[0] + (first + i) * grid.step[0]
        for j in range(by, min(by + BLOCK, image.shape[1])):
            y = grid.origin[1] + j * grid.step[1]
            height = y * back.upwards
            table = back.table[first + i, j]
            for k in range(bz, min(bz + BLOCK, image.shape[2])):
                z = grid.origin[2] + k * grid.step[2]
                mixed[0] = back.values[AIR_] + table * (back.values[TABLE_] - back.values[AIR_])
                mixed[1] = back.labels[TABLE_] if table >= TABLE_SHARE else back.labels[AIR_]
                if not outside:
                    look_up(lattice, x, y, z, at)
                if not outside and at[SKIN] < 0.5 * edge:
                    u, v, w = x + at[WARP_X], y + at[WARP_Y], z + at[WARP_Z]
                    coarse = coarse_weight * grain_at(tile, u, v, w, 7.0)
                    fine = fine_weight * grain_at(tile, v + 31.0, w + 17.0, u + 5.0, 2.1)
                    aside = min(max(abs(u) / 60.0 - 0.6, 0.0), 1.0)
                    _backdrop(mixed, at, back, edge, fine, coarse, height, aside)
                    grain = 0.75 * fine + 0.6 * coarse
                    _voxel(
                        mixed, count, chosen, room.packed, room.far, shapes, parts, u, v, w, at, edge, grain,
                        height,
                    )  # fmt: skip
                image[i, j, k] = toned(mixed[0], hounsfield, grey)
                labels[i, j, k] = int(mixed[1])
                foreground[i, j, k] = not outside and at[SKIN] < 0.0
