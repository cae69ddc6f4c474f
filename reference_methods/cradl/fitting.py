"""The second stage of training: the density of normal slices' features, and which density.

Features are standardised; n training slices and m held-out ones of d features.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from reference_methods.common.deep.training import Figures, Learner, Schedule, fit
from reference_methods.cradl import mixture
from reference_methods.cradl.flow import Flow
from reference_methods.cradl.mixture import Mixture, MixtureDensity
from reference_methods.cradl.pretext import Material

FLOW_BATCH = 256
FLOW_RATE, FLOW_DECAY = 1e-3, 1e-4
FLOW_NOISE = 1e-3  # deviation, lest it learn to sit on single points
DENSITIES = ("mixture", "flow", "chosen")

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Fitted:
    """A density, its number of components or 0 for the flow, and the mean -log p of held-out features."""

    density: nn.Module
    components: int
    held_out: float


def choose_density(training: Array, held_out: Array, material: Material) -> Fitted:
    """Of all that the settings ask for, the one under which held-out features are likeliest.

    All are densities of the same features (n, d) and (m, d), so that their likelihoods can be compared.
    `ValueError` for an unknown kind.
    """
    kind = material.config.density
    if kind not in DENSITIES:
        raise ValueError(f"density {kind!r}; one of {', '.join(DENSITIES)} was expected")
    numbers = material.config.components if kind != "flow" else ()
    fitted = [fit_mixture(training, held_out, number, material) for number in numbers]
    if kind != "mixture":
        fitted.append(fit_flow(training, held_out, material))
    return min(fitted, key=lambda one: one.held_out)


def fit_mixture(training: Array, held_out: Array, components: int, material: Material) -> Fitted:
    """By expectation and maximisation; fewer components where there are fewer slices than that."""
    config, components = material.config, min(components, len(training))
    rng = np.random.default_rng([material.order.seed, components])
    start = Mixture.start(training, components, rng)
    found, history = mixture.fit(training, start, config.ridge, config.converged)
    density = MixtureDensity.of(found)
    held = float(density(torch.from_numpy(held_out)).mean())
    told = f"-log p {-history[-1]:.4g} after {len(history) - 1} rounds; held-out: {held:.4g}"
    print(f"mixture of {components}: {told}", flush=True)
    return Fitted(density, components, held)


def fit_flow(training: Array, held_out: Array, material: Material) -> Fitted:
    """By Adam, a tenth of the rate after each third of the steps; the weights best on held-out features."""
    config, order, device = material.config, material.order, material.device
    torch.manual_seed(order.seed)
    flow = Flow(training.shape[1], config.flow_hidden).to(device)
    points, others = (torch.from_numpy(values).float().to(device) for values in (training, held_out))

    def loss(rng: np.random.Generator) -> Tensor:
        batch = points[torch.from_numpy(rng.integers(len(points), size=FLOW_BATCH)).to(device)]
        disturbance = torch.from_numpy(rng.standard_normal(batch.shape, dtype=np.float32)).to(device)
        return mean_negative_log_likelihood(flow, batch + FLOW_NOISE * disturbance)

    @torch.no_grad()
    def validate(_: np.random.Generator) -> Figures:
        return {"loss": float(mean_negative_log_likelihood(flow, others))}

    optimiser = torch.optim.Adam(flow.parameters(), FLOW_RATE, weight_decay=FLOW_DECAY)
    steps = config.flow_steps
    learner = Learner(flow, optimiser, loss, validate, lambda step: 0.1 ** (3 * step // steps))
    file = order.folder / f"cradl-flow-{order.dataset}.pt"
    plan = {**material.plan, "pretext_steps": material.steps}
    history = fit(learner, Schedule(steps, math.ceil(steps / 12)), device, order.seed, file, plan)
    return Fitted(flow, 0, min(past["loss"] for past in history))


def mean_negative_log_likelihood(density: nn.Module, points: Tensor) -> Tensor:
    """Of points (n, d), in full precision."""
    with torch.autocast(points.device.type, enabled=False):
        likelihoods: Tensor = density(points)
    return likelihoods.mean()
