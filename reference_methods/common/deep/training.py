"""The loop that trains every network here: steps, figures on held-out scans, the best kept, resumable."""

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from reference_methods.common.deep import checkpoint
from reference_methods.common.deep.device import autocast

Figures = dict[str, float]


@dataclass(frozen=True)
class Order:
    """What was asked for: a dataset, settings by name, a device, a seed, a folder for intermediate files.

    `steps` replaces the number of steps that the settings have.
    """

    dataset: str
    folder: Path
    config: str = "small"
    device: str = "auto"
    seed: int = 0
    steps: int | None = None


@dataclass
class Learner:
    """What a method brings: a network, its optimiser, and functions of a generator.

    `loss` draws a batch of training slices; `validate` gives figures on held-out scans, of which the lowest
    `loss` decides which weights are kept; `rate` is the learning rate's factor at a step.
    """

    network: nn.Module
    optimiser: torch.optim.Optimizer
    loss: Callable[[np.random.Generator], Tensor]
    validate: Callable[[np.random.Generator], Figures]
    rate: Callable[[int], float] = lambda step: 1.0


@dataclass(frozen=True)
class Schedule:
    """How many steps are trained, and after how many of them held-out scans are looked at."""

    steps: int
    validate_every: int


def fit(
    learner: Learner, schedule: Schedule, device: torch.device, seed: int, file: Path, plan: Mapping[str, Any]
) -> list[Figures]:
    """Train, and leave the network with its best weights, in evaluation mode. Returns the figures on the way.

    Every step has a generator of its own, made of the seed and its number, so a training that was cut off and
    goes on from its checkpoint `file` does what it would have done. `plan` says what the file belongs to: the
    settings and the scans (`Slices.key`). Seed and number of steps are added here: a training that was to end
    earlier is another one, since its learning rate may have followed its end.

    Raises:
        ValueError: a loss is not finite, or the file belongs to another plan.
    """
    network, optimiser = learner.network.to(device), learner.optimiser
    rates = [group["lr"] for group in optimiser.param_groups]
    state = _start(learner, file, {**plan, "seed": seed, "steps": schedule.steps})
    recent: list[float] = []
    for step in range(state["step"], schedule.steps):
        for group, rate in zip(optimiser.param_groups, rates, strict=True):
            group["lr"] = rate * learner.rate(step)
        recent.append(_step(learner, device, seed, step))
        if (step + 1) % schedule.validate_every == 0 or step + 1 == schedule.steps:
            _look(learner, seed, step + 1, float(np.mean(recent)), state)
            checkpoint.save(
                file, {**state, "network": network.state_dict(), "optimiser": optimiser.state_dict()}
            )
            recent.clear()
    if state["best"] is not None:
        network.load_state_dict(state["best"])
    network.eval()
    history: list[Figures] = state["history"]
    return history


def _start(learner: Learner, file: Path, plan: dict[str, Any]) -> dict[str, Any]:
    """The state to train from: the file's, put into network and optimiser, or a new one."""
    state = checkpoint.load(file, plan)
    if state is None:
        return {"plan": plan, "step": 0, "history": [], "best": None}
    learner.network.load_state_dict(state["network"])
    learner.optimiser.load_state_dict(state["optimiser"])  # onto the device of the parameters
    print(f"going on from step {state['step']}", flush=True)
    return state


def _step(learner: Learner, device: torch.device, seed: int, step: int) -> float:
    """One step of the optimiser; the loss before it."""
    learner.network.train()
    with autocast(device):
        loss = learner.loss(np.random.default_rng([seed, step]))
    value = _finite(loss.item(), "loss", step)
    learner.optimiser.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    learner.optimiser.step()
    return value


def _look(learner: Learner, seed: int, step: int, loss: float, state: dict[str, Any]) -> None:
    """Validate, say the figures, and keep the weights when no loss before was as low."""
    learner.network.eval()
    # The same draw at every look, so that figures differ by the weights alone.
    figures = learner.validate(np.random.default_rng([seed, 1 << 32]))
    figures = {name: float(value) for name, value in figures.items()}  # a checkpoint holds plain numbers
    _finite(figures["loss"], "held-out loss", step)
    lowest = min((past["loss"] for past in state["history"]), default=math.inf)
    if figures["loss"] < lowest:
        state["best"] = copy.deepcopy(learner.network.state_dict())
    state["history"].append({"step": step, "training_loss": loss, **figures})
    state["step"] = step
    told = ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in figures.items())
    print(f"step {step}: training loss {loss:.4g}; held-out: {told}", flush=True)


def _finite(loss: float, name: str, step: int) -> float:
    if not math.isfinite(loss):
        raise ValueError(f"the {name} is {loss} at step {step}; a lower learning rate may help")
    return loss
