"""Train the ceVAE on a dataset's training scans."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from reference_methods.cevae.config import CONFIGS, PIXEL_SCORES, Config
from reference_methods.cevae.model import (
    Model,
    build,
    context_term,
    draw_squares,
    objective,
    paint,
    variational_terms,
)
from reference_methods.common.cases import Watch
from reference_methods.common.deep import inference
from reference_methods.common.deep.device import choose
from reference_methods.common.deep.standardising import Standardising
from reference_methods.common.deep.store import Slices, store
from reference_methods.common.deep.training import Figures, Learner, Order, Schedule, fit
from reference_methods.common.deep.validation import Toys, toys
from reference_methods.common.squashing import Squashing

VALIDATION_BATCHES = 8


def train(scans: Sequence[Path], watch: Watch, order: Order) -> Model:
    """With the settings that the order names; see `learn`."""
    return learn(scans, watch, order, CONFIGS[order.config][order.dataset])


def learn(scans: Sequence[Path], watch: Watch, order: Order, config: Config) -> Model:
    """Raises `ValueError` as `store` and `fit` do."""
    config = config if order.steps is None else replace(config, steps=order.steps)
    slices, device = store(scans, config.slicing, order.folder, watch), choose(order.device)
    torch.manual_seed(order.seed)
    model = Model(build(config), config, Standardising.learn(slices, config.limit), {}, device)
    task = Task(model, slices, toys(slices, np.random.default_rng(order.seed)))
    learner = Learner(
        model.network,
        torch.optim.Adam(model.network.parameters(), config.learning_rate),
        task.training_loss,
        task.validate,
    )
    file = order.folder / f"cevae-{order.dataset}-{config.factor:g}.pt"
    schedule, plan = Schedule(config.steps, config.validate_every), {**asdict(config), "scans": slices.key}
    fit(learner, schedule, device, order.seed, file, plan)
    model.scales = task.scales()
    return model


@dataclass(frozen=True)
class Task:
    """Encoding, decoding and filling in, on stored slices: what `training.Learner` asks for."""

    model: Model
    slices: Slices
    toys: Toys

    def training_loss(self, rng: np.random.Generator) -> Tensor:
        """Of a batch of slices of training scans."""
        config = self.model.config
        slices = augment(self.slices.draw(config.batch, rng), config, rng)
        return objective(self.model.network, *self._inputs(slices, rng), config.factor, config.kl_weight)

    @torch.no_grad()
    def validate(self, rng: np.random.Generator) -> Figures:
        """What the training lowers, and its terms, on held-out slices; average precisions on toys in them."""
        found = self.toys.figures(
            lambda scan: self._in_parts(self._maps(self.model.config.pixel_score), scan),
            lambda scan: float(self._in_parts(self.model.raw_slices, scan).max()),
        )
        return {**self._terms(rng), **found}

    def scales(self) -> dict[str, float]:
        """What the highest scores of normal scans are: a case's, and a pixel's by the score's name."""
        normal = [scan for scan, mask in zip(self.toys.scans, self.toys.masks, strict=True) if not mask.any()]
        cases = [float(self._in_parts(self.model.raw_slices, scan).max()) for scan in normal]
        scales = {"case": Squashing.learn(cases).scale}
        for name in PIXEL_SCORES:
            maps = [np.asarray(self._in_parts(self._maps(name), scan).cpu()) for scan in normal]
            scales[name] = Squashing.learn(np.ravel(maps)).scale
        return scales

    def _maps(self, name: str) -> Callable[[Tensor], Tensor]:
        return lambda part: self.model.raw_maps(name, part)

    def _terms(self, rng: np.random.Generator) -> Figures:
        config, network = self.model.config, self.model.network
        terms = []
        for _ in range(VALIDATION_BATCHES):
            scans = rng.choice(self.slices.validation, config.batch)
            slices = self.slices.take(scans, rng.integers(self.slices.per_scan, size=config.batch))
            x, painted, normal = self._inputs(slices, rng)
            kl, rec = variational_terms(network, x, normal)
            terms.append([term.mean() for term in (kl, rec, context_term(network, x, painted))])
        kl, rec, context = torch.tensor(terms).mean(0).tolist()
        loss = (1 - config.factor) * (config.kl_weight * kl + rec) + config.factor * context
        return {"loss": loss, "kl": kl, "rec": rec, "context": context}

    def _inputs(self, slices: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Standardised slices, the same with squares (n, 1, h, w) and standard normal numbers (n, d)."""
        x, config, device = self.model.standardising(slices), self.model.config, self.model.device
        squares = [draw_squares(config.side, config.limit, rng) for _ in x]
        normal = torch.from_numpy(rng.standard_normal((len(x), config.latent), np.float32))
        return x.to(device), paint(x, squares).to(device), normal.to(device)

    def _in_parts(self, score: Callable[[Tensor], Tensor], scan: Tensor) -> Tensor:
        parts = torch.split(scan, inference.SLICES_AT_ONCE)
        return torch.cat([score(part.to(self.model.device)) for part in parts])


def augment(slices: Tensor, config: Config, rng: np.random.Generator) -> Tensor:
    """Slices (n, 1, h, w) as they are in scans, each mirrored, turned and brighter or darker by chance."""
    count = len(slices)
    mirrored = rng.integers(2, size=count) if config.mirror else np.zeros(count)
    angles = rng.uniform(-config.rotation, config.rotation, count)
    gains = torch.from_numpy(rng.uniform(1 - config.brightness, 1 + config.brightness, count)).to(slices)
    if config.mirror or config.rotation:
        slices = functional.grid_sample(
            slices, _grid(slices, mirrored, angles), padding_mode="border", align_corners=False
        )
    return slices * gains.view(-1, 1, 1, 1)


def _grid(slices: Tensor, mirrored: NDArray[Any], angles: NDArray[np.float64]) -> Tensor:
    """Where to read each pixel. Mirroring turns rows round, which are left to right in both datasets."""
    cosine, sine, sign = np.cos(angles), np.sin(angles), 1 - 2 * mirrored
    zero = np.zeros_like(angles)
    # Rows of the matrix: which column, then which row, is read.
    matrices = np.stack([cosine, -sine, zero, sign * sine, sign * cosine, zero], -1).reshape(-1, 2, 3)
    return functional.affine_grid(torch.from_numpy(matrices).to(slices), list(slices.shape), False)
