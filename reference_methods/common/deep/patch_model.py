"""A network that learned to find patches, as a method: scores of slices, put together to those of a case."""

from abc import ABC, abstractmethod
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from reference_methods.common.cases import Case
from reference_methods.common.deep import inference, networks
from reference_methods.common.deep.device import choose
from reference_methods.common.deep.slices import Slicing


class PatchModel(ABC):
    """The trained network, how it slices, and the facts kept beside its weights; see `cli.Method`."""

    def __init__(self, network: nn.Module, slicing: Slicing, facts: networks.Facts) -> None:
        self.device = choose()
        self.network = network.to(self.device).eval()
        self.slicing, self.facts = slicing, facts

    @abstractmethod
    def of_logits(self, logits: Tensor) -> Tensor:
        """Logits (n, classes, h, w) to scores (n, 1, h, w) in [0, 1]."""

    @abstractmethod
    def of_means(self, means: NDArray[np.floating]) -> float:
        """Mean scores of a case's slices (slices,) to the score of the case in [0, 1]."""

    @torch.no_grad()
    def of_slices(self, slices: Tensor) -> Tensor:
        """Scores of slices as delivered, both (n, 1, h, w), in [0, 1]."""
        return self.of_logits(self.network(slices))

    def voxel_scores(self, case: Case) -> NDArray[np.float32]:
        """The network's output for every slice, as it is."""
        scores = inference.voxel_scores(case.data, self.slicing, self.of_slices, self.device)
        return np.clip(scores, 0, 1, out=scores)  # rounding in between may go a little beyond

    def case_score(self, case: Case) -> float:
        """See `of_means`."""

        def means(slices: Tensor) -> Tensor:
            return self.of_slices(slices).mean((1, 2, 3))

        return self.of_means(inference.slice_scores(case.data, self.slicing, means, self.device))

    def save(self, path: Path) -> None:
        """Write weights and settings to an .npz."""
        networks.save(path, self.network, self.facts)
