"""What `benchmarks/scoring.py` measures, and how often: every contender on every kind of predictions.

The original and torchmetrics need minutes for a batch, so by default they pass over some kinds.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.random import Generator

from benchmarks import exact, ours, with_scikit_learn
from benchmarks.figures import BESIDE_FLOOR, BESIDE_TWO, Work
from benchmarks.measure import Cost, cost
from benchmarks.volumes import SHARES, Paths, write_batches

BATCHES = [(kind, dtype) for dtype in ("float32", "float64") for kind in SHARES]
BINS = 200
# Only the processes that measure it import torch.
_TORCH_BATCH, _TORCH_VOLUME = "benchmarks.with_torchmetrics:batch", "benchmarks.with_torchmetrics:volume"


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    `large` is the size of the one volume that shows how memory grows. `slow_repeats` are the original's on
    float32; what else takes minutes is measured once, and on every kind only if `thorough`.
    """

    cases: int = 20
    size: int = 256
    large: int = 512
    repeats: int = 5
    slow_repeats: int = 3
    torchmetrics: bool = True
    thorough: bool = False
    seed: int = 2020

    def repeats_of_original(self, kind: str, dtype: str) -> int:
        """How often the original scores such a batch."""
        if dtype == "float32":
            return self.slow_repeats
        return int(self.thorough or kind == "masked")

    def repeats_of_torchmetrics(self, kind: str, dtype: str) -> int:
        """The same for torchmetrics. It gets what the original has read, so float64 would be nothing new."""
        return int(self.torchmetrics and dtype == "float32" and (self.thorough or kind == "masked"))


@dataclass(frozen=True)
class Job:
    """Work to be measured so many times; on how many cores, as in `cost`."""

    work: Work
    repeats: int
    prepare: Callable[..., Callable[[], Any]] | str
    arguments: tuple[Any, ...]
    cores: int | None = 1

    def cost(self) -> Cost:
        """Measure it once."""
        return cost(self.prepare, *self.arguments, cores=self.cores)


def compile_beforehand(folder: Path, rng: Generator) -> None:
    """Fill numba's cache by work that nobody measures: compiling takes memory as well as time."""
    for paths in write_batches(folder, [("dense", "float32"), ("dense", "float64")], 1, 16, rng).values():
        cost(ours.batch, paths.predictions, paths.masks)
    cost(exact.volume, "dense", 16, 0)


def jobs(plan: Plan, folder: Path, rng: Generator) -> list[Job]:
    """Write the predictions and masks into a folder, and say what is to be measured on them."""
    batches = write_batches(folder, BATCHES, plan.cases, plan.size, rng)
    (large,) = write_batches(folder / "large", [("masked", "float32")], 1, plan.large, rng).values()
    return [
        *(job for batch, paths in batches.items() for job in _of_batch(plan, *batch, paths)),
        Job(Work("ours, a large volume", "masked"), 1, ours.batch, (large.predictions, large.masks)),
        *(job for kind in SHARES for job in _of_one_volume(plan, kind)),
    ]


def _of_batch(plan: Plan, kind: str, dtype: str, paths: Paths) -> Iterator[Job]:
    kept, published = (paths.predictions, paths.masks), (paths.predictions, paths.labels)
    slow, torch = plan.repeats_of_original(kind, dtype), plan.repeats_of_torchmetrics(kind, dtype)
    yield Job(Work("ours", kind, dtype), plan.repeats, ours.batch, kept)
    yield Job(Work("floor", kind, dtype), plan.repeats, ours.floor, (paths.predictions,))
    yield Job(Work(BESIDE_FLOOR, kind, dtype), plan.repeats, ours.beside_floor, kept)
    yield Job(Work(BESIDE_TWO, kind, dtype), plan.repeats, ours.one_process_over_two, kept, None)
    yield Job(Work("original", kind, dtype), slow, with_scikit_learn.batch, published)
    yield Job(Work("torchmetrics", kind, dtype), torch, _TORCH_BATCH, published)


def _of_one_volume(plan: Plan, kind: str) -> Iterator[Job]:
    volume = (kind, plan.size, plan.seed)
    sharp, binned = int(plan.torchmetrics), int(plan.torchmetrics and (plan.thorough or kind == "masked"))
    yield Job(Work("exact by us", kind), plan.repeats, exact.volume, volume)
    yield Job(Work("exact by scikit-learn", kind), plan.slow_repeats, with_scikit_learn.volume, volume)
    yield Job(Work("exact by torchmetrics", kind), sharp, _TORCH_VOLUME, (*volume, None))
    yield Job(Work("binned by torchmetrics", kind), binned, _TORCH_VOLUME, (*volume, BINS))
