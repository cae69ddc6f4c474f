"""What FPI and PII learn from: a square of another subject, put into a slice with some weight.

Shapes: n slices of one channel, height h and width w.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from reference_methods.common.deep.store import Slices
from reference_methods.common.deep.training import Figures
from reference_methods.common.deep.validation import Toys

ALPHA = (0.05, 0.95)
HALF_WIDTH = (0.05, 0.20)  # of the side
VALIDATION_BATCHES = 8


@dataclass(frozen=True)
class Patch:
    """A square [y - w, y + w) × [x - w, x + w), clipped at the border, and the weight of what is foreign."""

    rows: slice
    columns: slice
    alpha: float

    @staticmethod
    def draw(side: int, core: float, levels: int, rng: np.random.Generator) -> "Patch":
        """Whole centre in the core of the slice, whole half-width of 5 to under 20 % of its side.

        The weight is uniform in 0.05 to 0.95, or one of so many levels from 0 to 1, without 0.
        """
        low, high = round((1 - core) / 2 * side), round((1 + core) / 2 * side)
        row, column = (int(place) for place in rng.integers(low, high, size=2))
        smallest, largest = (round(share * side) for share in HALF_WIDTH)
        half = int(rng.integers(smallest, largest))
        alpha = float(rng.uniform(*ALPHA)) if levels == 1 else int(rng.integers(1, levels)) / (levels - 1)
        return Patch(_clipped(row, half, side), _clipped(column, half, side), alpha)


def _clipped(centre: int, half: int, side: int) -> slice:
    return slice(max(0, centre - half), min(side, centre + half))


# A slice (h, w), another subject's at the same place and a patch, to the slice with the patch blended in, and
# its label (h, w).
Blend = Callable[
    [NDArray[np.float32], NDArray[np.float32], Patch], tuple[NDArray[np.float32], NDArray[np.float32]]
]


def both_ways(one: Tensor, other: Tensor, draw: Callable[[], Patch], blend: Blend) -> tuple[Tensor, Tensor]:
    """Slices (n, 1, h, w) of two subjects, index by index, to (2n, 1, h, w) of examples and of labels.

    Every pair of slices gets a patch of its own, by which each is put into the other.
    """
    examples = []
    for first, second in zip(one.squeeze(1).numpy(), other.squeeze(1).numpy(), strict=True):
        patch = draw()
        examples += [blend(first, second, patch), blend(second, first, patch)]
    mixed, labels = (
        torch.from_numpy(np.stack(images)).unsqueeze(1) for images in zip(*examples, strict=True)
    )
    return mixed, labels


@dataclass(frozen=True)
class PatchTask:
    """The self-supervised task on stored slices: what `training.Learner` asks for.

    `loss` takes logits (n, classes, h, w) and labels (n, 1, h, w), `pixel_scores` makes (n, 1, h, w) of
    logits, and `case_score` takes means of slices (slices,).
    """

    network: nn.Module
    slices: Slices
    toys: Toys
    device: torch.device
    batch: int
    core: float
    levels: int
    blend: Blend
    loss: Callable[[Tensor, Tensor], Tensor]
    pixel_scores: Callable[[Tensor], Tensor]
    case_score: Callable[[NDArray[np.floating]], float]

    def training_loss(self, rng: np.random.Generator) -> Tensor:
        """Of a batch from two training scans."""
        return self._loss(self.slices.training, rng)

    @torch.no_grad()
    def validate(self, rng: np.random.Generator) -> Figures:
        """The loss on fresh patches of held-out scans, and average precisions on toy-like spheres in them."""
        fresh = [self._loss(self.slices.validation, rng) for _ in range(VALIDATION_BATCHES)]
        found = self.toys.figures(self._scores, lambda scan: self.case_score(self._means(scan)))
        return {"loss": float(torch.stack(fresh).mean()), **found}

    def _loss(self, scans: NDArray[np.int64], rng: np.random.Generator) -> Tensor:
        one, other = rng.choice(scans, 2, replace=False)
        places = rng.integers(self.slices.per_scan, size=self.batch // 2)
        first, second = (self.slices.take(np.full_like(places, scan), places) for scan in (one, other))
        side = self.slices.values.shape[-1]
        mixed, label = both_ways(
            first, second, lambda: Patch.draw(side, self.core, self.levels, rng), self.blend
        )
        return self.loss(self.network(mixed.to(self.device)), label.to(self.device))

    def _scores(self, scan: Tensor) -> Tensor:
        parts = (part.to(self.device) for part in torch.split(scan, self.batch))
        return torch.cat([self.pixel_scores(self.network(part)) for part in parts])

    def _means(self, scan: Tensor) -> NDArray[np.float32]:
        return np.asarray(self._scores(scan).mean((1, 2, 3)).cpu())
