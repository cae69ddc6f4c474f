"""The last step of every scan, normal or not: whatever it leaves behind says nothing about what came before.

The same sub-voxel resampling, fresh noise, scaling, cut-off and quantisation for all, so that neither the
extremes nor exact zeros, blur or gaps in the histogram tell an altered scan from an untouched one.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from datasets.populations.subject import Population, Subject

LEVELS = 4096  # values are whole multiples of 1/4096
ROBUST_MAXIMUM = 99.5  # percentile of the anatomy


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
    shift = rng.uniform(-0.4, 0.4, 3)
    brightest = float(np.percentile(subject.image[subject.foreground], ROBUST_MAXIMUM))
    gain = rng.uniform(0.86, 0.93) / max(brightest, 0.1)
    noisy = population.with_noise(rng, _shifted(image, shift), subject.noise) * np.float32(gain)
    if subject.stripped:
        noisy = np.where(_shifted_mask(subject.foreground, shift), noisy, 0)
    quantised = np.round(np.clip(noisy, 0, 1) * LEVELS) / LEVELS
    moved = None if mask is None else _shifted_mask(mask, shift)
    if moved is not None and subject.stripped:
        moved &= _shifted_mask(subject.foreground, shift)
    return Finished(quantised.astype(np.float32), moved)


def _shifted(image: NDArray[np.float32], shift: NDArray[np.float64]) -> NDArray[np.float32]:
    moved: NDArray[np.float32] = ndimage.shift(image, shift, order=1, mode="nearest")
    return moved


def _shifted_mask(mask: NDArray[np.bool_], shift: NDArray[np.float64]) -> NDArray[np.bool_]:
    moved: NDArray[np.bool_] = _shifted(mask.astype(np.float32), shift) >= 0.5
    return moved
