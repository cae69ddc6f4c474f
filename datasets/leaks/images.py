"""Numbers of a whole scan that a trivial trick would look at; finalising should make them tell nothing.

None of them needs to know where the anomaly is. They are gated for local kinds only: a blurred scan is meant
to look blurred.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Image = NDArray[np.float32]
LEVELS = 65535  # every fixed quantisation of up to 16 bits is told apart
BODY = 0.05  # brighter than this is anatomy
COARSE = 12  # blocks a side of a thumbnail
FLAT_SIDE = 3


def features(image: Image, where: NDArray[np.bool_]) -> dict[str, float]:
    """Numbers of one scan, float32 in [0, 1], among the voxels `where`; both (x, y, z)."""
    body = where & (image > BODY)
    if not body.any():
        body = where
    shown = image[where]
    steps = np.abs(np.diff(image, axis=0))[body[1:] & body[:-1]]
    return {
        "minimum": float(shown.min()),
        "maximum": float(shown.max()),
        "exact zeros": float(np.mean(shown == 0)),
        "saturated voxels": float(np.mean(shown >= 1)),
        **_histogram(shown),
        "equal neighbours": float(np.mean(steps == 0)) if steps.size else 0.0,
        "high-pass energy": _spread(high_pass(image)[_whole_cubes(body)]),
        "sharpest steps": float(np.quantile(steps, 0.9999)) if steps.size else 0.0,
        "flattest places": float(np.quantile(flatness(image)[body], 0.999)),
        "brightness of the body": float(np.median(image[body])),
        "extent of the body": float(body.sum() / where.sum()),
    }


def _histogram(shown: Image) -> dict[str, float]:
    """Gaps and teeth between the 5th and the 95th percentile of what is neither 0 nor 1."""
    inner = shown[(shown > 0) & (shown < 1)]
    if inner.size < 100:
        return {"gaps in the histogram": 0.0, "teeth in the histogram": 0.0}
    counts = np.bincount(np.round(inner * LEVELS).astype(np.int64), minlength=LEVELS + 1)
    share = np.cumsum(counts) / counts.sum()
    middle = counts[np.searchsorted(share, 0.05) : np.searchsorted(share, 0.95) + 1]
    used = np.flatnonzero(middle)
    teeth = np.abs(np.diff(middle[used])).sum() / middle.sum()
    return {"gaps in the histogram": float(np.diff(used).mean()), "teeth in the histogram": float(teeth)}


def high_pass(image: Image) -> Image:
    """The finest diagonal detail, (x-1, y-1, z-1); independent noise keeps its deviation in it."""
    detail = np.diff(np.diff(np.diff(image, axis=0), axis=1), axis=2)
    return np.asarray(detail / np.sqrt(8), dtype=np.float32)


def _whole_cubes(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where all eight voxels behind a value of `high_pass` are in the mask."""
    kept = mask
    for axis in range(3):
        kept = np.minimum(
            np.take(kept, range(kept.shape[axis] - 1), axis), np.take(kept, range(1, kept.shape[axis]), axis)
        )
    return kept


def noise_in(image: Image, mask: NDArray[np.bool_]) -> tuple[float, int]:
    """Noise level among the voxels of a mask, and from how many places it was found."""
    values = high_pass(image)[_whole_cubes(mask)]
    return _spread(values), int(values.size)


def _spread(values: NDArray[np.float32]) -> float:
    return float(np.median(np.abs(values)) * 1.4826) if values.size else 0.0


def flatness(image: Image) -> Image:
    """Minus the standard deviation in 3×3×3 voxels: high where a region is uniform."""
    mean = ndimage.uniform_filter(image, FLAT_SIDE)
    square = ndimage.uniform_filter(np.square(image), FLAT_SIDE)
    return np.asarray(-np.sqrt(np.maximum(square - np.square(mean), 0)), dtype=np.float32)


def thumbnail(image: Image) -> Image:
    """The mean of 12×12×12 blocks, flat (1728,); smaller scans as they are."""
    small = image
    for axis, size in enumerate(image.shape):
        edges = np.unique(np.linspace(0, size, min(COARSE, size) + 1).astype(int))
        width = np.diff(edges).reshape([-1 if a == axis else 1 for a in range(3)])
        small = (np.add.reduceat(small, edges[:-1], axis=axis) / width).astype(np.float32)
    return np.asarray(small, dtype=np.float32).ravel()
