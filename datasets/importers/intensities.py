"""Grey values from 0 to 1 out of whatever unit a scan has."""

from typing import Literal

import numpy as np

from datasets.importers.raw import Floats, Unusable, thinned
from datasets.populations.abdomen_tissues import GREY, HOUNSFIELD

Scale = Literal["hounsfield", "robust", "unit"]
Window = tuple[float, float]

SLICES = 16
BRIGHT = 99.5  # percentile of the anatomy that becomes `TOP`
TOP = 0.9
OUTSIDE_HU = -300.0  # air has less
NEGATIVE = 0.01  # share of voxels below 0 that a magnitude image doesn't have


def to_unit(data: Floats, scale: Scale, window: Window | None = None) -> Floats:
    """Values from 0 to 1, float32, in place where that is possible.

    `hounsfield`: linear in `window`, or without one as generated abdomens are shown: soft tissue wide apart,
    both ends squeezed. `robust`: relative to the brightest anatomy but for a few voxels. `unit`: as they are.

    Raises:
        Unusable: the values can't be of that scale.
    """
    match scale:
        case "hounsfield":
            return _hounsfield(data, window)
        case "robust":
            return _robust(data)
        case "unit":
            return _unit(data)


def _hounsfield(data: Floats, window: Window | None) -> Floats:
    if data.min() > OUTSIDE_HU or data.max() < 0:
        raise Unusable(
            f"its values lie between {data.min():g} and {data.max():g}, which are not Hounsfield units "
            "(air is -1000); export it with its rescale slope and intercept"
        )
    levels, greys = (HOUNSFIELD, GREY) if window is None else (np.array(window), np.array([0.0, 1.0]))
    for first in range(0, data.shape[0], SLICES):
        part = slice(first, first + SLICES)
        data[part] = np.interp(data[part], levels, greys)
    return data


def _robust(data: Floats) -> Floats:
    negative = float(np.mean(data < 0))
    if negative > NEGATIVE:
        raise Unusable(
            f"{negative:.0%} of its voxels are negative, which no magnitude is; import the scan from before "
            "it was normalised"
        )
    sample = thinned(data)
    anatomy = sample[sample > 0.1 * np.percentile(sample, BRIGHT)]
    brightest = float(np.percentile(anatomy, BRIGHT)) if anatomy.size else 0.0
    if brightest <= 0:
        raise Unusable("nearly all of its voxels are 0; leave it out, or export it again")
    data *= np.float32(TOP / brightest)
    return np.clip(data, 0, 1, out=data)


def _unit(data: Floats) -> Floats:
    low, high = float(data.min()), float(data.max())
    if low < -1e-3 or high > 1 + 1e-3:
        raise Unusable(
            f"its values lie between {low:g} and {high:g}, not 0 and 1; name another scale with --scale"
        )
    return np.clip(data, 0, 1, out=data)
