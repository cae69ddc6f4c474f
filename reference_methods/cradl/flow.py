"""RealNVP: an invertible network that takes points to a normal distribution, so that each has a density.

Dinh, Sohl-Dickstein, Bengio: Density Estimation Using Real NVP (ICLR 2017). Shapes: n points, d dimensions.

    -log p(x) = ½ |z|² + d/2 log 2π - log |∂z/∂x|,    z = flow(x)
"""

import math
from typing import cast

import torch
from torch import Tensor, nn

BLOCKS = 8
CLAMP = 2.0


class Coupling(nn.Module):
    """Permutes; keeps the first half a; b becomes b ⊙ exp(s(a)) + t(a), with |s| below CLAMP."""

    order: Tensor

    def __init__(self, dimensions: int, hidden: int) -> None:
        super().__init__()
        self.kept, changed = dimensions // 2, dimensions - dimensions // 2
        self.register_buffer("order", torch.randperm(dimensions))
        self.network = nn.Sequential(
            nn.Linear(self.kept, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU()
        )
        self.last = nn.Linear(hidden, 2 * changed)
        nn.init.zeros_(self.last.weight)  # at first a block only permutes
        nn.init.zeros_(self.last.bias)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(n, d) to (n, d), and the logarithm of the Jacobian's determinant (n,)."""
        x = x[:, self.order]
        a, b = x[:, : self.kept], x[:, self.kept :]
        s, t = self._scale_and_shift(a)
        return torch.cat([a, b * s.exp() + t], 1), s.sum(1)

    def inverse(self, y: Tensor) -> Tensor:
        """What `forward` made (n, d) of."""
        a, b = y[:, : self.kept], y[:, self.kept :]
        s, t = self._scale_and_shift(a)
        return torch.cat([a, (b - t) * (-s).exp()], 1)[:, self.order.argsort()]

    def _scale_and_shift(self, a: Tensor) -> tuple[Tensor, Tensor]:
        s, t = self.last(self.network(a)).chunk(2, 1)
        return CLAMP * torch.tanh(s / CLAMP), t


class Flow(nn.Module):
    """Coupling blocks one after the other. Called, it gives negative log-likelihoods (n,) of points (n, d).

    Training and scoring call the same: public code trained with ¼ |z|², which is another distribution.
    """

    def __init__(self, dimensions: int, hidden: int, blocks: int = BLOCKS) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Coupling(dimensions, hidden) for _ in range(blocks))

    def transform(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """z (n, d) and log |∂z/∂x| (n,)."""
        total = x.new_zeros(len(x))
        for block in self.blocks:
            x, log_determinant = block(x)
            total = total + log_determinant
        return x, total

    def inverse(self, z: Tensor) -> Tensor:
        """The points (n, d) that `transform` takes to z."""
        for block in reversed(self.blocks):
            z = cast(Coupling, block).inverse(z)
        return z

    def forward(self, points: Tensor) -> Tensor:
        """-log p(x), in the precision of the weights."""
        z, log_determinant = self.transform(points.to(next(self.parameters()).dtype))
        return z.square().sum(1) / 2 + z.shape[1] / 2 * math.log(2 * math.pi) - log_determinant
