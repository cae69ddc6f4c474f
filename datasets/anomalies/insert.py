"""Putting an anomaly into a person so that it can be seen, and marking what can be seen of it."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from datasets.anomalies.scene import Floats, Kind, Scene

ATTEMPTS = 60
SEEN = 0.75  # a voxel has changed if it did so by this many deviations of the noise
CLEAR = 3.0  # a local anomaly must change its voxels by this many on average, a global one the scan by 1
SMALLEST = 1e-4  # share of the volume that a local anomaly must cover


class NotVisibleError(RuntimeError):
    """No draw gave an anomaly that can be seen; the message says which kind and what to change."""


@dataclass(frozen=True)
class Altered:
    """`image` float32 and `mask` bool (x, y, z); outside the mask the image is the subject's own.

    `mask` is None for global kinds. `parameters` are those drawn, with the number of `attempts`.
    """

    image: Floats
    mask: NDArray[np.bool_] | None
    parameters: dict[str, Any]


def insert_local(kind: type[Kind], rng: np.random.Generator, scene: Scene) -> Altered:
    """Draw until the change is large and clear enough.

    Raises:
        NotVisibleError: after 60 draws none was.
    """
    before, noise = scene.subject.image, scene.subject.noise
    for attempt in range(1, ATTEMPTS + 1):
        drawn = kind.draw(rng, scene)
        after = drawn.apply(scene)
        mask = visible_change(before, after, SEEN * noise)
        if scene.subject.stripped:
            mask &= scene.subject.foreground
        if mask.sum() >= max(SMALLEST * mask.size, 8) and _mean_change(before, after, mask) >= CLEAR * noise:
            return Altered(np.where(mask, after, before), mask, asdict(drawn) | {"attempts": attempt})
    raise NotVisibleError(_remedy(kind))


def alter_globally(kind: type[Kind], rng: np.random.Generator, scene: Scene) -> Altered:
    """Draw until the scan has changed as much as its noise is strong (root mean square over the anatomy).

    Raises:
        NotVisibleError: after 60 draws it had not.
    """
    subject = scene.subject
    for attempt in range(1, ATTEMPTS + 1):
        drawn = kind.draw(rng, scene)
        after = drawn.apply(scene)
        change = (after - subject.image)[subject.foreground]
        if change.size and float(np.sqrt(np.mean(change**2))) >= subject.noise:
            return Altered(after, None, asdict(drawn) | {"attempts": attempt})
    raise NotVisibleError(_remedy(kind))


def visible_change(before: Floats, after: Floats, threshold: float) -> NDArray[np.bool_]:
    """Where the two differ by more than `threshold`, small gaps closed and holes filled; (x, y, z)."""
    changed = np.abs(after - before) > threshold
    mask: NDArray[np.bool_] = np.zeros_like(changed)
    found = ndimage.find_objects(changed.astype(np.uint8))
    if found:
        box = found[0]
        closed = ndimage.binary_closing(np.pad(changed[box], 2), iterations=2)[(slice(2, -2),) * 3]
        mask[box] = ndimage.binary_fill_holes(closed | changed[box])
    return mask


def _mean_change(before: Floats, after: Floats, mask: NDArray[np.bool_]) -> float:
    return float(np.abs(after[mask] - before[mask]).mean())


def _remedy(kind: type[Kind]) -> str:
    return f"{kind.__name__}: none of {ATTEMPTS} draws could be seen; use larger volumes or another kind"
