"""Laying something flat into a scan: on a few slices, at any angle within them."""

from collections.abc import Callable

import numpy as np

from datasets.anomalies.regions import smooth_step
from datasets.anomalies.scene import Box, Floats, Voxel

REACH = 1.45  # radii after which nothing is painted
DARKEST, BRIGHTEST = 0.03, 0.97


def stamped(
    image: Floats,
    centre: Voxel,
    axis: int,
    thickness: float,
    radius: float,
    angle: float,
    paint: Callable[[Floats, Floats], tuple[Floats, Floats]],
) -> Floats:
    """`image` with what `paint` gives, over `thickness` slices across `axis`, the outer ones mixed.

    `paint` takes places (u, v) in radii from the centre, turned by `angle` radians, and returns the grey
    value there and how much it covers.
    """
    result = image.copy()
    box = _flat_box(image.shape, centre, axis, thickness, radius)
    first, second = (part for a, part in enumerate(box) if a != axis)
    i, j = (c for a, c in enumerate(centre) if a != axis)
    lines = (np.arange(part.start, part.stop, dtype=np.float32) - c for part, c in ((first, i), (second, j)))
    x, y = np.meshgrid(*lines, indexing="ij")
    cos, sin = np.float32(np.cos(angle) / radius), np.float32(np.sin(angle) / radius)
    value, cover = paint((cos * x + sin * y).astype(np.float32), (cos * y - sin * x).astype(np.float32))
    across = np.abs(np.arange(box[axis].start, box[axis].stop, dtype=np.float32) - centre[axis])
    profile = smooth_step(np.float32(thickness / 2 + 0.5) - across)
    part = np.moveaxis(result[box], axis, 0)
    part += profile[:, None, None] * cover * (np.clip(value, DARKEST, BRIGHTEST) - part)
    return result


def _flat_box(shape: tuple[int, ...], centre: Voxel, axis: int, thickness: float, radius: float) -> Box:
    reach = [int(REACH * radius) + 1] * 3
    reach[axis] = int(thickness / 2) + 1
    x, y, z = (slice(max(c - r, 0), min(c + r + 1, n)) for c, r, n in zip(centre, reach, shape, strict=True))
    return x, y, z
