"""Regions with soft, lumpy borders, which local kinds change something inside of.

Everything is computed in a box around the region. `depth` is the distance from the centre as a share of the
radius: 0 in the centre, 1 on the surface. A wave is (x, y, z, phase), in radians a voxel and radians.
"""

from collections.abc import Callable, Iterator

import numpy as np
from scipy import ndimage

from datasets.anomalies.scene import Box, Floats, Scene, Voxel, box_around, place

Triple = tuple[float, float, float]
Waves = tuple[tuple[float, float, float, float], ...]
LUMPS = 6
LUMPINESS = 0.15
PLACES = 8
CUBIC = 3


def draw_radii(rng: np.random.Generator, shape: tuple[int, ...], share: tuple[float, float]) -> Triple:
    """Half axes in voxels, around a `share` of the shortest side."""
    size = max(float(rng.uniform(*share)) * min(shape), 2.5)
    x, y, z = (float(r) for r in size * rng.uniform(0.8, 1.25, 3))
    return x, y, z


def draw_lumps(rng: np.random.Generator, radii: Triple) -> Waves:
    """A few long waves that make an ellipsoid of `radii` irregular."""
    rows = np.column_stack(
        [rng.normal(0, 2.5 / np.mean(radii), (LUMPS, 3)), rng.uniform(0, 2 * np.pi, LUMPS)]
    )
    return tuple((float(x), float(y), float(z), float(phase)) for x, y, z, phase in rows)


def lively(rng: np.random.Generator, scene: Scene, reach: int, places: int = PLACES) -> Voxel:
    """Of so many places in the anatomy the one with most structure: moves and blurs show there."""
    image = scene.subject.image
    found = [place(rng, scene.subject.foreground, reach) for _ in range(places)]
    return max(found, key=lambda centre: float(image[box_around(centre, reach, image.shape)].std()))


def region_box(centre: Voxel, radii: Triple, shape: tuple[int, ...]) -> Box:
    """A box that holds the ellipsoid, lumps included."""
    return box_around(centre, int(max(radii) / (1 - LUMPINESS)) + 2, shape)


def depth_in(away: Floats, radii: Triple) -> Floats:
    """How far voxels `away` (3, ...) from the centre are out, as a share of the radius."""
    x, y, z = (part / np.float32(radius) for part, radius in zip(away, radii, strict=True))
    depth: Floats = np.sqrt(x * x + y * y + z * z)
    return depth


def depth_of(box: Box, centre: Voxel, radii: Triple, lumps: Waves = ()) -> Floats:
    """How far the voxels of `box` are from `centre`, as a share of the radius; (x, y, z)."""
    x, y, z = (
        (np.arange(part.start, part.stop, dtype=np.float32) - c) / np.float32(radius)
        for part, c, radius in zip(box, centre, radii, strict=True)
    )
    depth: Floats = np.empty((x.size, y.size, z.size), dtype=np.float32)
    across = y[:, None] ** 2 + z**2
    for plane, along, lump in zip(depth, x, _lumps(lumps, box, centre), strict=True):
        np.sqrt(across + along**2, out=plane)
        plane *= lump
    return depth


def _lumps(waves: Waves, box: Box, centre: Voxel) -> Iterator[Floats]:
    """What the waves multiply the depth by, plane by plane along x, from products of lines."""
    amplitude = (2 / max(len(waves), 1)) ** 0.5
    x, y, z = (
        np.exp(1j * np.outer([wave[axis] for wave in waves], np.arange(part.start, part.stop) - centre[axis]))
        for axis, part in enumerate(box)
    )
    x *= amplitude * np.exp(1j * np.array([[wave[3]] for wave in waves]).reshape(-1, 1))
    y, z = y.astype(np.complex64), z.astype(np.complex64)
    for column in x.astype(np.complex64).T:
        yield 1 + np.float32(LUMPINESS) * np.clip(((y * column[:, None]).T @ z).real, -1, 1)


def share_of(box: Box, centre: Voxel, radii: Triple, lumps: Waves, softness: float) -> Floats:
    """How much of a change the voxels of `box` get: 1 inside, 0 from the surface on.

    `softness` is the width of the border as a share of the radius.
    """
    share = depth_of(box, centre, radii, lumps)
    for plane in share:
        plane[...] = smooth_step((1 - plane) / np.float32(softness))
    return share


def smooth_step(position: Floats) -> Floats:
    """0 below 0, 1 above 1, and without a kink between."""
    inside = np.clip(position, 0, 1)
    step: Floats = inside * inside * (3 - 2 * inside)
    return step


def moved(
    image: Floats, centre: Voxel, radii: Triple, come_from: Callable[[Floats, Floats], Floats]
) -> Floats:
    """`image` with the inside of the ellipsoid resampled, cubic, in the range of the box around it.

    `come_from` takes places (3, voxels) from the centre, in voxels, and their depths, and returns where their
    values come from, in the same form; these should lie in the ellipsoid.
    """
    result, box = image.copy(), region_box(centre, radii, image.shape)
    old, depth = image[box], depth_of(box, centre, radii)
    coefficients = ndimage.spline_filter(old, order=CUBIC, output=np.float32, mode="nearest")
    low, high = old.min(), old.max()
    first = np.array([[c - part.start] for c, part in zip(centre, box, strict=True)], dtype=np.float32)
    for x, (plane, inside) in enumerate(zip(result[box], depth < 1, strict=True)):
        y, z = np.nonzero(inside)
        away = np.stack([np.full(y.size, x), y, z]).astype(np.float32) - first
        places = come_from(away, depth[x][inside]) + first
        values = ndimage.map_coordinates(coefficients, places, order=CUBIC, mode="nearest", prefilter=False)
        plane[inside] = np.clip(values, low, high)
    return result


def rotation(angles: Triple) -> Floats:
    """Turns about x, then y, then z by `angles` radians, (3, 3)."""
    matrix = np.eye(3)
    for axis, angle in enumerate(angles):
        first, second = (axis + 1) % 3, (axis + 2) % 3
        turn = np.eye(3)
        turn[first, first] = turn[second, second] = np.cos(angle)
        turn[first, second], turn[second, first] = -np.sin(angle), np.sin(angle)
        matrix = turn @ matrix
    return matrix.astype(np.float32)
