"""Train PII on a dataset's training scans."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from reference_methods.common.cases import Watch
from reference_methods.common.deep.device import choose
from reference_methods.common.deep.patches import PatchTask
from reference_methods.common.deep.standardising import Standardising
from reference_methods.common.deep.store import store
from reference_methods.common.deep.training import Learner, Order, Schedule, fit
from reference_methods.common.deep.validation import toys
from reference_methods.common.deep.wide_residual import Network
from reference_methods.pii.config import CONFIGS, Config
from reference_methods.pii.model import Model, Standardised, case_score, loss, poisson_blend


def train(scans: Sequence[Path], watch: Watch, order: Order) -> Model:
    """With the settings that the order names; see `learn`."""
    return learn(scans, watch, order, CONFIGS[order.config][order.dataset])


def learn(scans: Sequence[Path], watch: Watch, order: Order, config: Config) -> Model:
    """Raises `ValueError` as `store` and `fit` do."""
    config = config if order.steps is None else replace(config, steps=order.steps)
    slices, device = store(scans, config.slicing, order.folder, watch), choose(order.device)
    standardising = Standardising.learn(slices)
    torch.manual_seed(order.seed)
    network = Standardised(Network(config.widen, strides=config.strides), standardising).to(device)
    task = PatchTask(
        network,
        slices,
        toys(slices, np.random.default_rng(order.seed)),
        device,
        batch=config.batch,
        core=config.core,
        levels=1,
        blend=partial(poisson_blend, tolerance=config.tolerance),
        loss=loss,
        pixel_scores=torch.sigmoid,
        case_score=case_score,
    )
    optimiser = torch.optim.Adam(network.parameters(), config.learning_rate)
    learner = Learner(network, optimiser, task.training_loss, task.validate)
    facts = {**asdict(config), **asdict(standardising), "seed": order.seed, "scans": slices.key}
    schedule = Schedule(config.steps, config.validate_every)
    fit(learner, schedule, device, order.seed, order.folder / f"pii-{order.dataset}.pt", facts)
    return Model(network, config.slicing, facts)
