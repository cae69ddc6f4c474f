"""What is known of an imported scan without any labels: where there is anatomy, and how much noise."""

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from datasets.importers.raw import Floats

COARSE = 96  # cells along the longest side on which a body is told from air
BINS = 256
EDGE = 2  # cells that an opening takes: tables, tubes and blankets
LEAST_NOISE = 0.002
PLANES = 16
SECOND_DIFFERENCES = 1.4826 / 6  # from the median of their sizes to the deviation of white noise


def foreground(image: Floats, stripped: bool) -> NDArray[np.bool_]:
    """Where there is anatomy, with all that it encloses: one piece, bool (x, y, z).

    To the voxel in a stripped scan, whose surroundings are 0; else to a cell of `COARSE` a side.
    """
    if stripped:
        return _whole(image > 0)
    step = max(1, -(-max(image.shape) // COARSE))
    cells = _means(image, step)
    above = cells > 0.7 * _between(cells)
    opened = ndimage.binary_opening(above, iterations=EDGE)
    body = _whole(opened if opened.any() else above)
    for axis in range(3):  # lungs and bowel may be open to the border of the scan
        body |= np.stack([ndimage.binary_fill_holes(plane) for plane in np.moveaxis(body, axis, 0)], axis)
    wide = body
    for axis, size in enumerate(image.shape):
        wide = np.repeat(wide, step, axis).take(range(size), axis)
    return wide


def noise(image: Floats, inside: NDArray[np.bool_]) -> float:
    """The deviation of white noise inside, from second differences along two axes at once.

    What goes on along either axis is not in them, so borders of organs hardly count. The least of three pairs
    of axes, since a scan may be smoother along some.
    """
    found = []
    for across in range(3):
        planes = np.linspace(0, image.shape[across] - 1, min(PLANES, image.shape[across])).astype(int)
        part = np.moveaxis(image.take(planes, across), across, 0)
        where = np.moveaxis(inside.take(planes, across), across, 0)[:, 1:-1, 1:-1]
        bent = np.abs(np.diff(np.diff(part, n=2, axis=1), n=2, axis=2))[where]
        if bent.size:
            found.append(float(np.median(bent)))
    return max(SECOND_DIFFERENCES * min(found, default=0.0), LEAST_NOISE)


def _means(image: Floats, step: int) -> Floats:
    """Of cells of `step` voxels a side, the last ones smaller."""
    for axis, size in enumerate(image.shape):
        starts = np.arange(0, size, step)
        counts = np.diff(np.append(starts, size)).astype(np.float32)
        sums = np.add.reduceat(image, starts, axis=axis)
        image = (sums / counts.reshape([-1 if other == axis else 1 for other in range(3)])).astype(np.float32)
    return image


def _between(cells: Floats) -> float:
    """The threshold that parts dark from bright best (Otsu, IEEE Trans. SMC 9:62, 1979)."""
    counts, edges = np.histogram(cells, BINS)
    middles = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    lower = np.cumsum(counts * middles)
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = below * above * (lower / below - (lower[-1] - lower) / above) ** 2
    return float(middles[int(np.nanargmax(spread))])


def _whole(where: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest piece of it, and what that encloses."""
    if not where.any():
        return where
    piece = cc3d.largest_k(where, k=1, connectivity=6) > 0
    around = np.pad(~piece, 1, constant_values=True)
    pieces = cc3d.connected_components(around, connectivity=6)
    outside = pieces == pieces[0, 0, 0]
    whole: NDArray[np.bool_] = ~outside[1:-1, 1:-1, 1:-1]
    return whole
