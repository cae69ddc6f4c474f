"""Anomaly against matched place: the same voxels in normal cases say what noise and edges look like there.

An anomaly may be seen; how it was pasted must not. So both measures compare the finest scale with its
surroundings, and count only what exceeds what a plausible finding would do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from datasets.leaks.findings import Tried
from datasets.leaks.images import Image, noise_in
from datasets.manifest import Case

Mask = NDArray[np.bool_]
T = TypeVar("T", bound=np.generic)
MARGIN = 7
SEAM = 3  # voxels around a mask that an anomaly may still touch
REFERENCES = 8  # normal cases that an anomaly is compared with
FEWEST_PLACES = 20
FEWEST_CASES = 3
LOST_NOISE = 1.8  # Rician noise is 1.53 times weaker where there is no signal; less than that is no paste
HARD_SEAM = 1.3  # a finding's own contour may be that much steeper than its surroundings
MEASURES = {
    "noise continuity": "less noise than the same place of normal cases",
    "patch seams": "steeper steps at the mask's edge than in the same place of normal cases",
}


@dataclass(frozen=True)
class Place:
    """Where an anomaly is: its mask (x, y, z) in a crop that begins at `corner`."""

    case: Case
    mask: Mask
    corner: tuple[int, int, int]

    def crop(self, image: NDArray[T]) -> NDArray[T]:
        """The same voxels of any scan, as a view."""
        return image[tuple(slice(c, c + n) for c, n in zip(self.corner, self.mask.shape, strict=True))]

    def outside(self, shape: tuple[int, ...]) -> Mask:
        """All voxels (x, y, z) of a scan but those of the place and its seam."""
        kept = np.ones(shape, dtype=bool)
        grown = ndimage.binary_dilation(self.mask, iterations=SEAM)
        self.crop(kept)[...] = ~grown
        return kept


def place(case: Case, mask: Mask) -> Place:
    """The place of a mask (x, y, z) of a whole scan that is not empty."""
    box = ndimage.find_objects(mask.astype(np.uint8))[0]
    lows = tuple(max(0, one.start - MARGIN) for one in box)
    around = tuple(slice(low, one.stop + MARGIN) for low, one in zip(lows, box, strict=True))
    return Place(case, mask[around].copy(), (lows[0], lows[1], lows[2]))


def measure(image: Image, mask: Mask) -> dict[str, float]:
    """Both measures of a crop, higher for more suspicious; NaN where there is too little to measure.

    Voxels that were cut off at 0 or 1 have no noise and don't count.
    """
    free = (image > 0) & (image < 1)
    return {"noise continuity": -_noise(image, mask, free), "patch seams": _seam(image, mask, free)}


def _noise(image: Image, mask: Mask, free: Mask) -> float:
    """Logarithm of the noise inside over that in a shell around."""
    near = ndimage.binary_dilation(mask, iterations=2)
    shell = ndimage.binary_dilation(near, iterations=4) & ~near
    inside, count = noise_in(image, mask & free)
    outside, around = noise_in(image, shell & free)
    if min(count, around) < FEWEST_PLACES or outside == 0:
        return float("nan")
    return float(np.log(max(inside, outside * 1e-3) / outside))


def _seam(image: Image, mask: Mask, free: Mask) -> float:
    """Logarithm of the mean step over the mask's edge over that one voxel further in and out.

    Between voxels that aren't cut off: where an anomaly reaches the border of a stripped brain, the step is
    the brain's own.
    """
    over, beside = np.zeros(2), np.zeros(2)
    for axis in range(3):
        steps = np.abs(np.diff(np.moveaxis(image, axis, 0), axis=0))
        within = np.moveaxis(free, axis, 0)
        known = within[1:] & within[:-1]
        border = np.diff(np.moveaxis(mask, axis, 0), axis=0)[1:-1]
        over += _total(steps[1:-1], known[1:-1] & border)
        beside += _total(steps[:-2], known[:-2] & border) + _total(steps[2:], known[2:] & border)
    if over[0] <= 0 or beside[0] <= 0:
        return float("nan")
    return float(np.log(over[0] / over[1] * beside[1] / beside[0]))


def _total(steps: Image, where: Mask) -> NDArray[np.float64]:
    """Sum and number."""
    return np.array([steps[where].sum(dtype=np.float64), np.count_nonzero(where)])


def assign(places: Sequence[Place], normal: Sequence[Case], rng: np.random.Generator) -> dict[str, list[int]]:
    """Which places are measured in which normal case, by its id: `REFERENCES` each, evenly spread."""
    order = [int(i) for i in rng.permutation(len(normal))]
    assigned: dict[str, list[int]] = {case.id: [] for case in normal}
    for index in range(len(places)):
        for step in range(min(REFERENCES, len(order))):
            chosen = order[(index * REFERENCES + step) % len(order)]
            assigned[normal[chosen].id].append(index)
    return assigned


def ranks(own: Sequence[float], references: Sequence[Sequence[float]], margin: float) -> NDArray[np.float64]:
    """(places, 2): how many references each place exceeds by the margin, and how many there are."""
    found = []
    for value, others in zip(own, references, strict=True):
        there = np.array([other for other in others if np.isfinite(other)])
        if np.isfinite(value) and there.size:
            below = value - np.log(margin)
            found.append((float((there < below).sum() + 0.5 * (there == below).sum()), float(there.size)))
    return np.array(found, dtype=np.float64).reshape(-1, 2)


def tried(
    measured: Sequence[tuple[str, dict[str, float], Sequence[dict[str, float]]]],
    rng: np.random.Generator,
    rounds: int,
) -> list[Tried]:
    """Tests over all local kinds and for each kind; `measured` are kind, own values, those of references.

    If a place was like its references, its rank among them would be uniform: the mean rank is compared with
    that of ranks drawn at random. It is the AUC of telling anomaly from matched place.
    """
    kinds = sorted({kind for kind, _, _ in measured})
    groups = {"all local kinds": kinds, **{kind: [kind] for kind in kinds}}
    made = []
    for name, margin in (("noise continuity", LOST_NOISE), ("patch seams", HARD_SEAM)):
        for group, members in groups.items():
            chosen = [one for one in measured if one[0] in members]
            table = ranks([own[name] for _, own, _ in chosen],
                          [[one[name] for one in others] for _, _, others in chosen], margin)  # fmt: skip
            if len(table) >= FEWEST_CASES:
                made.append(_tested(f"{name}, {group}", MEASURES[name], table, rng, rounds))
    return made


def _tested(
    name: str, means: str, table: NDArray[np.float64], rng: np.random.Generator, rounds: int
) -> Tried:
    rank, count = table.T
    actual = float((rank / count).mean())
    drawn = rng.integers(0, count.astype(np.int64) + 1, size=(rounds, len(count))) / count
    p = (1 + int((drawn.mean(axis=1) >= actual - 1e-9).sum())) / (1 + rounds)
    return Tried(name, "image", actual, p, f"{means}: {actual:.0%} of comparisons ({len(table)} cases)")
