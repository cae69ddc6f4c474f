"""A trained network on disk: an .npz of its arrays with facts about it in JSON, which no loader executes."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from reference_methods.common import weights

Facts = dict[str, Any]
_FACTS = "facts"


def save(path: Path, network: nn.Module, facts: Mapping[str, Any]) -> None:
    """Write the state of a network, and facts (what JSON can hold) that are needed to use it."""
    arrays = {name: value.detach().cpu().numpy() for name, value in network.state_dict().items()}
    weights.save(path, {**arrays, _FACTS: np.array(json.dumps(facts))})


def load(path: Path) -> tuple[dict[str, Tensor], Facts]:
    """State and facts that `save` wrote."""
    arrays = weights.load(path)
    facts = json.loads(str(arrays.pop(_FACTS)))
    return {name: torch.from_numpy(value) for name, value in arrays.items()}, facts
