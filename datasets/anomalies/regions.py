"""Regions with soft, lumpy borders, which local kinds change something inside of.

Everything is computed in a box around the region. `depth` is the distance from the centre as a share of the
radius: 0 in the centre, 1 on the surface. A wave is (x, y, z, phase), in radians a voxel and radians.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from datasets.anomalies.scene import Box, Floats, Scene, Voxel, box_around, offsets, place

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


def lively(rng: np.random.Generator, scene: Scene, reach: int) -> Voxel:
    """Of some places in the anatomy the one with most structure: what moves, blurs or mirrors shows there."""
    image = scene.subject.image
    found = [place(rng, scene.subject.foreground, reach) for _ in range(PLACES)]
    return max(found, key=lambda centre: float(image[box_around(centre, reach, image.shape)].std()))


def region_box(centre: Voxel, radii: Triple, shape: tuple[int, ...]) -> Box:
    """A box that holds the ellipsoid, lumps included."""
    return box_around(centre, int(max(radii) / (1 - LUMPINESS)) + 2, shape)


def depth_in(away: Floats, radii: Triple, lumps: Waves = ()) -> Floats:
    """How far voxels `away` (3, x, y, z) from the centre are out, as a share of the radius."""
    axes = np.asarray(radii, dtype=np.float32).reshape(3, 1, 1, 1)
    depth: Floats = np.sqrt(((away / axes) ** 2).sum(axis=0))
    if lumps:
        depth *= 1 + LUMPINESS * np.clip(sum_of(lumps, away), -1, 1)
    return depth


def share_of(box: Box, centre: Voxel, radii: Triple, lumps: Waves, softness: float) -> Floats:
    """How much of a change the voxels of `box` get: 1 inside, 0 from the surface on.

    `softness` is the width of the border as a share of the radius.
    """
    return smooth_step((1 - depth_in(offsets(box, centre), radii, lumps)) / np.float32(softness))


def smooth_step(position: Floats) -> Floats:
    """0 below 0, 1 above 1, and without a kink between."""
    inside = np.clip(position, 0, 1)
    step: Floats = inside * inside * (3 - 2 * inside)
    return step


def sum_of(waves: Waves, away: Floats) -> Floats:
    """A smooth random field of variance 1 made of plane waves, (x, y, z)."""
    total = np.zeros(away.shape[1:], dtype=np.float32)
    for x, y, z, phase in waves:
        total += np.cos(x * away[0] + y * away[1] + z * away[2] + phase).astype(np.float32)
    return total * np.float32((2 / len(waves)) ** 0.5)


def resampled(image: Floats, box: Box, inside: NDArray[np.bool_], sources: Floats) -> Floats:
    """`image` with new values where `inside` (bool, of the box's shape), cubic, from `sources` (3, voxels).

    Sources are voxels of the whole image and should lie in the box. Values stay in the range of the box.
    """
    result, old = image.copy(), image[box]
    start = np.array([[part.start] for part in box], dtype=np.float32)
    values = ndimage.map_coordinates(old, sources - start, order=CUBIC, mode="nearest")
    result[box][inside] = np.clip(values, old.min(), old.max())
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
