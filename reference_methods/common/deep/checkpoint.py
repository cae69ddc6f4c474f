"""The state of a training on disk, from which it goes on after any interruption."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch


def save(path: Path, state: Mapping[str, Any]) -> None:
    """Write a state of tensors and plain values under a temporary name, then rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    torch.save(dict(state), partial)
    os.replace(partial, path)


def load(path: Path, plan: Mapping[str, Any]) -> dict[str, Any] | None:
    """The state, or None where there is none.

    Raises:
        ValueError: it belongs to another plan (settings, seed, scans): going on would mix two trainings.
    """
    if not path.exists():
        return None
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    differences = sorted(
        name for name in {*state["plan"], *plan} if state["plan"].get(name) != plan.get(name)
    )
    if differences:
        raise ValueError(
            f"{path} belongs to a training of another plan (other {', '.join(differences)});"
            " remove it to start anew"
        )
    return state
