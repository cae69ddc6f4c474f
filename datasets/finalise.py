"""The last step of every scan, normal or not: whatever it leaves behind says nothing about what came before.

The same sub-voxel resampling, fresh noise, scaling, cut-off and quantisation for all, so that neither the
extremes nor exact zeros, blur or gaps in the histogram tell an altered scan from an untouched one.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from datasets.kernels.shifting import quantise, shifted
from datasets.populations.subject import Population, Subject
from datasets.volume import LEVELS

ROBUST_MAXIMUM = 99.5  # percentile of the anatomy
FARTHEST = 0.4  # voxels that a scan is moved along each axis at most
SAMPLED = 2**22  # voxels that are enough to know it


@dataclass(frozen=True)
class Finished:
    """`image`: float32 in [0, 1], `mask`: bool or None; both (x, y, z)."""

    image: NDArray[np.float32]
    mask: NDArray[np.bool_] | None


def finalise(
    population: Population,
    subject: Subject,
    image: NDArray[np.float32],
    mask: NDArray[np.bool_] | None,
    rng: np.random.Generator,
) -> Finished:
    """Finish `image`, which is the subject's own or an altered version of it.

    The scale is taken from the subject before alteration: a bright anomaly must not darken the rest.
    """
    shift = rng.uniform(-FARTHEST, FARTHEST, 3)
    gain = rng.uniform(0.86, 0.93) / max(_brightest(subject), 0.1)
    noise = subject.noise * (_share_lost(shift) if subject.grainy else 1.0)
    finished = population.with_noise(rng, _shifted(image, shift), noise)
    quantise(finished, float(gain), LEVELS)
    moved = None if mask is None else moved_mask(mask, shift)
    if subject.stripped:
        anatomy = moved_mask(subject.foreground, shift)
        finished[~anatomy] = 0
        moved = None if moved is None else moved & anatomy
    return Finished(finished, moved)


def _brightest(subject: Subject) -> float:
    """The robust maximum of the anatomy, from about four million voxels at most."""
    step = max(1, round((subject.image.size / SAMPLED) ** (1 / 3)))
    part = (slice(step // 2, None, step),) * 3
    inside = subject.image[part][subject.foreground[part]]
    inside = inside if inside.size else subject.image[subject.foreground]
    return float(np.percentile(inside, ROBUST_MAXIMUM))


def _share_lost(shift: NDArray[np.float64]) -> float:
    """Of the deviation of white noise, by linear interpolation at that shift."""
    near = np.abs(shift)
    return float(np.sqrt(1 - np.prod((1 - near) ** 2 + near**2)))


def _shifted(image: NDArray[np.float32], shift: NDArray[np.float64]) -> NDArray[np.float32]:
    moved = np.empty(image.shape, dtype=np.float32)
    shifted(np.ascontiguousarray(image, dtype=np.float32), shift, moved)
    return moved


def moved_mask(mask: NDArray[np.bool_], shift: NDArray[np.float64]) -> NDArray[np.bool_]:
    """`mask` (x, y, z) moved by `shift` voxels, less than one each: where most of it lies then."""
    moved = np.zeros(mask.shape, dtype=np.bool_)
    found = ndimage.find_objects(mask.view(np.uint8))
    if found:
        box = tuple(
            slice(max(s.start - 2, 0), min(s.stop + 2, n)) for s, n in zip(found[0], mask.shape, strict=True)
        )
        moved[box] = _shifted(mask[box].astype(np.float32), shift) >= 0.5
    return moved
