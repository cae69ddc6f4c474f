"""Putting an anomaly into a person so that it can be seen, and marking what can be seen of it.

How far a voxel changed is told in deviations of the noise that the scanner will add. A draw that changes too
little for its difficulty is repeated, and the number of draws is kept.

Normal scans get no sham edits, since one would leave no trace: at strength zero every kind gives the very
image back, outside a mask the image is the subject's own bit by bit, and `finalise` resamples all scans
alike before it adds the noise, which therefore no kind can have smoothed. Where the noise was in the image
already (imported scans), it is made anew as far as a kind took it away.
"""

from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from datasets.anomalies.grain import remake_noise
from datasets.anomalies.scene import Box, Difficulty, Floats, Kind, Scene
from datasets.finalise import FARTHEST, moved_mask
from datasets.populations.subject import Subject

ATTEMPTS = 60
SEEN = 0.75  # a voxel has changed if it did so by this many deviations of the noise
# By how many deviations of the noise an anomaly must change the mean of its mask, or the rms of the anatomy.
CLEAR: dict[Difficulty, float] = {"easy": 4.0, "medium": 2.5, "hard": 1.25}
ALTERED: dict[Difficulty, float] = {"easy": 2.0, "medium": 1.0, "hard": 0.5}
SMALLEST: dict[Difficulty, float] = {"easy": 1e-4, "medium": 3e-5, "hard": 1e-5}  # share of the volume
FEWEST = 20  # voxels of a mask, and of each of its pieces
LEFT = 8  # voxels of a mask after the finaliser's farthest shift, which takes what is thin
CRUMB = 0.02  # pieces smaller than this share of the largest are none
NOTHING = 1e-3  # what is darker than this in an altered, stripped scan is outside of it
SLAB = 16
TWO_NOISES = 3.2  # power of the difference of two noises, 2, and what it varies by in a neighbourhood


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
        mask = visible_change(before, after, SEEN * noise, grain=_grain(scene.subject))
        if scene.subject.stripped:
            mask &= foreground
        drop_crumbs(mask)
        voxels, contrast = int(np.count_nonzero(mask)), _mean_change(scene.subject, after, mask)
        if voxels >= least and contrast >= CLEAR[difficulty] * noise and _lasts(mask):
            if scene.subject.grainy:
                remake_noise(before, after, mask, noise, rng)
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
        if _rms_change(subject, after) >= ALTERED[difficulty] * subject.noise:
            if subject.grainy and kind.group == "corruptions":
                remake_noise(subject.image, after, subject.foreground, subject.noise, rng)
            foreground = after > NOTHING if subject.stripped else subject.foreground
            facts = {"attempts": attempt, "difficulty": difficulty}
            return Altered(after, None, foreground, asdict(drawn) | facts)
    raise NotVisibleError(_remedy(kind, difficulty))


def visible_change(before: Floats, after: Floats, threshold: float, grain: float = 0.0) -> NDArray[np.bool_]:
    """Where the two differ by more than `threshold`, small gaps closed and holes filled; (x, y, z).

    `grain`: the deviation of noise that both hold; that it was carried elsewhere cannot be seen.
    """
    mask: NDArray[np.bool_] = np.zeros(before.shape, dtype=np.bool_)
    for part in _slabs(before):
        mask[part] = np.abs(after[part] - before[part]) > (0 if grain else threshold)
    box = _extent(mask)
    if box is not None:
        changed = _change(before, after, box, grain) > threshold if grain else mask[box]
        closed = ndimage.binary_closing(np.pad(changed, 2), iterations=2)[(slice(2, -2),) * 3]
        mask[box] = ndimage.binary_fill_holes(closed | changed)
    return mask


def drop_crumbs(mask: NDArray[np.bool_]) -> None:
    """Take pieces (joined over corners) away, in place, that are too small to be called an anomaly."""
    box = _extent(mask)
    if box is None:
        return
    pieces, _ = ndimage.label(mask[box], np.ones((3, 3, 3)))
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    mask[box] = (sizes >= max(FEWEST, CRUMB * sizes.max()))[pieces]


def _lasts(mask: NDArray[np.bool_]) -> bool:
    """Whether enough of it is left however far the finaliser moves the scan; single lines are lost."""
    box = _extent(mask)
    if box is None:
        return False
    alone = np.pad(mask[box], 2)
    shifts = product((-FARTHEST, FARTHEST), repeat=3)
    return all(np.count_nonzero(moved_mask(alone, np.array(shift))) >= LEFT for shift in shifts)


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


def _change(before: Floats, after: Floats, part: Box | slice, grain: float) -> Floats:
    """By how much each voxel of a part differs, without what noise that both hold accounts for.

    In its neighbourhood's mean, or in its mean square beyond that of two noises, as where noise was added.
    """
    change: Floats = after[part] - before[part]
    if not grain:
        return np.abs(change)
    power = ndimage.gaussian_filter(np.square(change), 1.0, mode="nearest")
    beyond = np.sqrt(np.maximum(power - np.float32(TWO_NOISES * grain**2), 0))
    larger: Floats = np.maximum(np.abs(ndimage.gaussian_filter(change, 1.0, mode="nearest")), beyond)
    return larger


def _grain(subject: Subject) -> float:
    return subject.noise if subject.grainy else 0.0


def _mean_change(subject: Subject, after: Floats, mask: NDArray[np.bool_]) -> float:
    box = _extent(mask)
    return float(_change(subject.image, after, box, _grain(subject))[mask[box]].mean()) if box else 0.0


def _rms_change(subject: Subject, after: Floats) -> float:
    """Over the anatomy."""
    total, count = 0.0, 0
    for part in _slabs(after):
        change = _change(subject.image, after, part, _grain(subject))[subject.foreground[part]]
        squares = change.astype(np.float64)
        total, count = total + float(squares @ squares), count + squares.size
    return float(np.sqrt(total / count)) if count else 0.0


def _slabs(image: Floats) -> list[slice]:
    return [slice(first, first + SLAB) for first in range(0, image.shape[0], SLAB)]


def _remedy(kind: type[Kind], difficulty: Difficulty) -> str:
    return (
        f"{kind.name} ({difficulty}): none of {ATTEMPTS} draws could be seen; "
        "use larger volumes, another difficulty or another kind"
    )
