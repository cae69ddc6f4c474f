"""torchmetrics in the same places: the only module here that imports torch, which benchmarks install."""

from collections.abc import Callable

import torch
from torchmetrics.functional.classification import binary_average_precision

from benchmarks import original
from benchmarks.volumes import one_volume


def batch(predictions: list[str], labels: list[str]) -> Callable[[], float]:
    """Files read as the original does, then torchmetrics' exact average precision of all voxels."""
    _prepare()

    def work() -> float:
        abnormal, scores = original.voxels_of_batch(predictions, labels)
        return _average_precision(torch.from_numpy(scores).float(), torch.from_numpy(abnormal), None)

    return work


def volume(kind: str, size: int, seed: int, thresholds: int | None) -> Callable[[], float]:
    """One float32 volume in memory, at all its scores or at so many thresholds."""
    scores, mask = (torch.from_numpy(array.ravel()) for array in one_volume(kind, size, seed))
    _prepare()
    return lambda: _average_precision(scores, mask, thresholds)


def _average_precision(scores: torch.Tensor, labels: torch.Tensor, thresholds: int | None) -> float:
    # Its checks of the values would take several passes more.
    return float(binary_average_precision(scores, labels, thresholds=thresholds, validate_args=False))


def _prepare() -> None:
    torch.set_num_threads(1)
    _average_precision(torch.tensor([0.0, 1.0]), torch.tensor([False, True]), None)
