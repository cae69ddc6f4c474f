"""SmoothGrad: the gradient of a score with respect to the slice, averaged over noise (Smilkov, 2017)."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor


def noise(count: int, side: int, deviation: float, seed: int = 0) -> Tensor:
    """Fields of Gaussian noise (count, 1, side, side), the same for every slice and every batch.

    Noise drawn anew would make a slice's score depend on which slices come with it.
    """
    fields = np.random.default_rng(seed).normal(0, 1, (count, 1, side, side))
    return torch.from_numpy(deviation * fields).float()


def smooth_gradient(score: Callable[[Tensor], Tensor], slices: Tensor, fields: Tensor) -> Tensor:
    """Mean over fields (k, 1, h, w) of ∂ score(slices + field) / ∂ slices, signed, as (n, 1, h, w).

    `score` takes slices (n, 1, h, w) and gives one number a slice (n,), each of its slice alone. Take the
    absolute value of what comes back: taken before averaging, noise would no longer cancel.
    """
    total = torch.zeros_like(slices)
    for field in fields:
        with torch.enable_grad():
            disturbed = (slices + field.to(slices)).detach().requires_grad_(True)
            total += torch.autograd.grad(score(disturbed).sum(), disturbed)[0].detach()
    return total / len(fields)
