"""Putting an anomaly into a person so that it can be seen, and marking what can be seen of it.

How far a voxel changed is told in deviations of the noise that the scanner will add. A draw that changes too
little for its difficulty is repeated, and the number of draws is kept.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from datasets.anomalies.scene import Box, Difficulty, Floats, Kind, Scene

ATTEMPTS = 60
SEEN = 0.75  # a voxel has changed if it did so by this many deviations of the noise
# By how many deviations of the noise an anomaly must change the mean of its mask, or the rms of the anatomy.
CLEAR: dict[Difficulty, float] = {"easy": 4.0, "medium": 2.5, "hard": 1.25}
ALTERED: dict[Difficulty, float] = {"easy": 2.0, "medium": 1.0, "hard": 0.5}
SMALLEST: dict[Difficulty, float] = {"easy": 1e-4, "medium": 3e-5, "hard": 1e-5}  # share of the volume
FEWEST = 8  # voxels
NOTHING = 1e-3  # what is darker than this in an altered, stripped scan is outside of it
SLAB = 16


class NotVisibleError(RuntimeError):
    """No draw gave an anomaly that can be seen; the message says which kind and what to change."""


@dataclass(frozen=True)
class Altered:
    """`image` float32, `mask` and `foreground` bool (x, y, z).

    Outside the mask the image is the subject's own; `mask` is None for global kinds. `foreground` is where
    the altered scan shows anatomy. `parameters` are those drawn, with the `difficulty`, the `attempts` and,
    of local kinds, the `voxels` of the mask and the `contrast`: mean change inside it in the image's units.
    """

    image: Floats
    mask: NDArray[np.bool_] | None
    foreground: NDArray[np.bool_]
    parameters: dict[str, Any]


def insert_local(kind: type[Kind], rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Altered:
    """Draw until the change is large and clear enough for its difficulty.

    Raises:
        NotVisibleError: after 60 draws none was.
    """
    before, noise, foreground = scene.subject.image, scene.subject.noise, scene.subject.foreground
    least = max(SMALLEST[difficulty] * before.size, FEWEST)
    for attempt in range(1, ATTEMPTS + 1):
        drawn = kind.draw(rng, scene, difficulty)
        after = drawn.apply(scene)
        mask = visible_change(before, after, SEEN * noise)
        if scene.subject.stripped:
            mask &= foreground
        voxels, contrast = int(np.count_nonzero(mask)), _mean_change(before, after, mask)
        if voxels >= least and contrast >= CLEAR[difficulty] * noise:
            facts = {"attempts": attempt, "difficulty": difficulty, "voxels": voxels, "contrast": contrast}
            return Altered(_restored(before, after, mask), mask, foreground, asdict(drawn) | facts)
    raise NotVisibleError(_remedy(kind, difficulty))


def alter_globally(
    kind: type[Kind], rng: np.random.Generator, scene: Scene, difficulty: Difficulty
) -> Altered:
    """Draw until the scan has changed enough (root mean square over the anatomy) for its difficulty.

    Raises:
        NotVisibleError: after 60 draws it had not.
    """
    subject = scene.subject
    for attempt in range(1, ATTEMPTS + 1):
        drawn = kind.draw(rng, scene, difficulty)
        after = drawn.apply(scene)
        if _rms_change(subject.image, after, subject.foreground) >= ALTERED[difficulty] * subject.noise:
            foreground = after > NOTHING if subject.stripped else subject.foreground
            facts = {"attempts": attempt, "difficulty": difficulty}
            return Altered(after, None, foreground, asdict(drawn) | facts)
    raise NotVisibleError(_remedy(kind, difficulty))


def visible_change(before: Floats, after: Floats, threshold: float) -> NDArray[np.bool_]:
    """Where the two differ by more than `threshold`, small gaps closed and holes filled; (x, y, z)."""
    mask: NDArray[np.bool_] = np.zeros(before.shape, dtype=np.bool_)
    for part in _slabs(before):
        mask[part] = np.abs(after[part] - before[part]) > threshold
    box = _extent(mask)
    if box is not None:
        changed = mask[box]
        closed = ndimage.binary_closing(np.pad(changed, 2), iterations=2)[(slice(2, -2),) * 3]
        mask[box] = ndimage.binary_fill_holes(closed | changed)
    return mask


def _restored(before: Floats, after: Floats, mask: NDArray[np.bool_]) -> Floats:
    """`after` with the values of `before` outside the mask; in place, since volumes are large."""
    for part in _slabs(before):
        np.copyto(after[part], before[part], where=~mask[part])
    return after


def _extent(mask: NDArray[np.bool_]) -> Box | None:
    """The smallest box around all that is true."""
    lines = [np.flatnonzero(mask.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    if not lines[0].size:
        return None
    x, y, z = (slice(int(line[0]), int(line[-1]) + 1) for line in lines)
    return x, y, z


def _mean_change(before: Floats, after: Floats, mask: NDArray[np.bool_]) -> float:
    box = _extent(mask)
    return float(np.abs(after[box] - before[box])[mask[box]].mean()) if box is not None else 0.0


def _rms_change(before: Floats, after: Floats, where: NDArray[np.bool_]) -> float:
    total, count = 0.0, 0
    for part in _slabs(before):
        change = (after[part] - before[part])[where[part]].astype(np.float64)
        total, count = total + float(change @ change), count + change.size
    return float(np.sqrt(total / count)) if count else 0.0


def _slabs(image: Floats) -> list[slice]:
    return [slice(first, first + SLAB) for first in range(0, image.shape[0], SLAB)]


def _remedy(kind: type[Kind], difficulty: Difficulty) -> str:
    return (
        f"{kind.name} ({difficulty}): none of {ATTEMPTS} draws could be seen; "
        "use larger volumes, another difficulty or another kind"
    )
