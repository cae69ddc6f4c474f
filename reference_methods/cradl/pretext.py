"""The first stage of training: features by contrast (SimCLR)."""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from reference_methods.common.deep.standardising import BODY, Standardising
from reference_methods.common.deep.store import Slices
from reference_methods.common.deep.training import Figures, Learner, Order, Schedule, fit
from reference_methods.cradl.augmentation import Views
from reference_methods.cradl.config import Config
from reference_methods.cradl.model import BODY_SHARE, Encoder, Pretext, nt_xent

VALIDATION_BATCHES = 4

Places = NDArray[np.int64]  # (m, 2): a scan and one of its slices


@dataclass(frozen=True)
class Material:
    """Slices, where those are that show something in training and in held-out scans, and how to learn."""

    slices: Slices
    training: Places
    held_out: Places
    standardise: Standardising
    config: Config
    order: Order
    device: torch.device

    @staticmethod
    def of(slices: Slices, config: Config, order: Order, device: torch.device) -> "Material":
        """`ValueError` where no training scan, or no held-out one, shows anything."""
        training, held_out = (with_body(slices, scans) for scans in (slices.training, slices.validation))
        standardise = Standardising.learn(slices, config.limit)
        return Material(slices, training, held_out, standardise, config, order, device)

    @property
    def facts(self) -> dict[str, Any]:
        """What a model has to know of it."""
        return {**asdict(self.config), **asdict(self.standardise)}

    @property
    def plan(self) -> dict[str, Any]:
        """What a checkpoint belongs to, beside seed and steps."""
        return {**self.facts, "slices": self.slices.key}

    @property
    def steps(self) -> int:
        """Of the first stage."""
        return self.order.steps or self.config.steps

    def batch(self, places: Places) -> Tensor:
        """Standardised slices (m, 1, side, side) on the device."""
        return self.standardise(self.slices.take(places[:, 0], places[:, 1]).to(self.device))


def with_body(slices: Slices, scans: NDArray[np.int64]) -> Places:
    """The slices of scans that show something, (m, 2). `ValueError` where there is none."""
    shares = np.stack([(slices.values[scan] > BODY).mean((1, 2)) for scan in scans])
    found = np.argwhere(shares > BODY_SHARE)
    if not len(found):
        raise ValueError(f"none of {len(scans)} scans shows anything brighter than {BODY}")
    return np.stack([scans[found[:, 0]], found[:, 1]], axis=1)


@dataclass(frozen=True)
class Contrast:
    """The self-supervised task on stored slices: what `training.Learner` asks for."""

    network: Pretext
    material: Material

    def training_loss(self, rng: np.random.Generator) -> Tensor:
        """Of a batch of slices of any training scans."""
        return self._loss(self.material.training, rng)

    @torch.no_grad()
    def validate(self, rng: np.random.Generator) -> Figures:
        """The loss on as many slices of held-out scans, and that of a network that sees no difference."""
        losses = [self._loss(self.material.held_out, rng) for _ in range(VALIDATION_BATCHES)]
        blind = math.log(2 * self.material.config.batch - 1)
        return {"loss": float(torch.stack(losses).mean()), "blind": blind}

    def _loss(self, places: Places, rng: np.random.Generator) -> Tensor:
        config = self.material.config
        drawn = rng.choice(places, config.batch, replace=len(places) < config.batch)
        batch = self.material.batch(drawn)
        views = [Views.draw(config.batch, config.side, rng).of(batch, config.limit) for _ in range(2)]
        one, other = self.network(torch.cat(views)).float().chunk(2)
        with torch.autocast(self.material.device.type, enabled=False):
            return nt_xent(one, other, config.temperature)


def learn_features(material: Material) -> Encoder:
    """The encoder whose loss on held-out scans was lowest, in evaluation mode."""
    config, order = material.config, material.order
    torch.manual_seed(order.seed)
    network = Pretext(config.channels, config.features, config.head).to(material.device)
    task = Contrast(network, material)
    learner = Learner(
        network,
        torch.optim.Adam(decayed(network, config.weight_decay), config.learning_rate),
        task.training_loss,
        task.validate,
        lambda step: rate(step, material.steps, config.warm_up),
    )
    file = order.folder / f"cradl-{order.dataset}.pt"
    schedule = Schedule(material.steps, config.validate_every)
    fit(learner, schedule, material.device, order.seed, file, material.plan)
    return network.encoder


def rate(step: int, steps: int, warm_up: float) -> float:
    """Up in a line over the first share of the steps, then down by a cosine towards 0."""
    warm = round(warm_up * steps)
    if step < warm:
        return (step + 1) / warm
    return (1 + math.cos(math.pi * (step - warm) / (steps - warm))) / 2


def decayed(network: nn.Module, decay: float) -> list[dict[str, Any]]:
    """Parameters for an optimiser: weights decay, biases and what batch normalisation learns do not."""
    parameters = list(network.parameters())
    return [
        {"params": [one for one in parameters if one.ndim > 1], "weight_decay": decay},
        {"params": [one for one in parameters if one.ndim <= 1], "weight_decay": 0.0},
    ]
