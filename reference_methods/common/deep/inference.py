"""A volume through a network, some slices at a time."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reference_methods.common.deep.device import autocast
from reference_methods.common.deep.slices import Slicing

PIXELS_AT_ONCE = 1 << 21
SLICES_AT_ONCE = 64

Score = Callable[[Tensor], Tensor]


def voxel_scores(
    volume: NDArray[np.float32], slicing: Slicing, score: Score, device: torch.device
) -> NDArray[np.float32]:
    """Maps of slices, put back into the shape of the volume (x, y, z).

    `score` takes slices (n, 1, side, side) and gives maps of the same shape; it sees some slices at a time.
    """
    scores = np.empty(volume.shape, np.float32)
    for start, slices in _batches(volume, slicing):
        slicing.paste(_run(score, slices, device), scores, start)
    return scores


def slice_scores(
    volume: NDArray[np.float32], slicing: Slicing, score: Score, device: torch.device
) -> NDArray[np.float32]:
    """One score a slice (slices,); `score` takes slices (n, 1, side, side) and gives (n,)."""
    return np.concatenate([_run(score, slices, device).numpy() for _, slices in _batches(volume, slicing)])


def _run(score: Score, slices: Tensor, device: torch.device) -> Tensor:
    with autocast(device):
        return score(slices.to(device)).detach().float().cpu()


def _batches(volume: NDArray[np.float32], slicing: Slicing) -> Iterator[tuple[int, Tensor]]:
    step = max(1, min(SLICES_AT_ONCE, PIXELS_AT_ONCE // slicing.side**2))
    for start in range(0, slicing.count(volume), step):
        yield start, slicing.cut(volume, start, start + step)
