"""Two views of a slice that should look the same to the encoder: what contrastive learning learns from.

Thesis 3.2.4: random crop, scale, mirror, rotation, multiplicative brightness and Gaussian noise; ranges of
the public code of its successor (MIC-DKFZ/cOOpD). Shapes: n slices of one channel, height h and width w.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

SHIFT = 1 / 3  # of half a side: the centre of a crop keeps a third of the side from every border
SCALE = (0.9, 1.2)
ANGLE = 0.1  # radians, either way
BRIGHTNESS = (0.95, 1.1)
NOISE = 0.05  # the largest variance, in squared standard deviations of the body

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Views:
    """What is done to each of n slices.

    `matrices` (n, 2, 3) take places in a view to places in the slice, both from -1 to 1 as (x, y);
    `brightness` (n,) multiplies; `noise` (n, 1, h, w) is added last.
    """

    matrices: Floats
    brightness: Floats
    noise: Floats

    @staticmethod
    def draw(count: int, side: int, rng: np.random.Generator) -> "Views":
        """At random, each slice by itself."""
        deviation = np.sqrt(rng.uniform(0, NOISE, (count, 1, 1, 1)), dtype=np.float32)
        return Views(
            matrices(
                angle=rng.uniform(-ANGLE, ANGLE, count),
                scale=rng.uniform(*SCALE, count),
                mirror=rng.choice([-1.0, 1.0], count),
                shift=rng.uniform(-SHIFT, SHIFT, (count, 2)),
            ),
            rng.uniform(*BRIGHTNESS, count).astype(np.float32),
            deviation * rng.standard_normal((count, 1, side, side), dtype=np.float32),
        )

    def of(self, slices: Tensor, limit: float) -> Tensor:
        """Views of standardised slices, both (n, 1, h, w), within ± `limit`.

        What a view shows of beyond the border is as at the border.
        """
        places = functional.affine_grid(
            self._like(slices, self.matrices), list(slices.shape), align_corners=False
        )
        seen = functional.grid_sample(slices, places, padding_mode="border", align_corners=False)
        seen = seen * self._like(slices, self.brightness).view(-1, 1, 1, 1) + self._like(slices, self.noise)
        return seen.clamp(-limit, limit)

    @staticmethod
    def _like(slices: Tensor, values: Floats) -> Tensor:
        return torch.from_numpy(values).to(slices)


def matrices(
    angle: NDArray[np.float64],
    scale: NDArray[np.float64],
    mirror: NDArray[np.float64],
    shift: NDArray[np.float64],
) -> Floats:
    """Rotations (n,) times scales (n,), and shifts (n, 2), as (n, 2, 3); -1 of `mirror` (n,) turns y round.

    A scale above 1 shows more of the slice, and everything smaller. Along y, a slice's first axis, lie left
    and right in brains and abdomens.
    """
    cosine, sine = np.cos(angle), np.sin(angle)
    rotation = np.stack([np.stack([cosine, -sine], -1), np.stack([sine, cosine], -1)], -2)
    linear = scale[:, None, None] * rotation * np.stack([np.ones_like(mirror), mirror], -1)[:, None, :]
    return np.concatenate([linear, shift[:, :, None]], -1).astype(np.float32)
