"""Slices of all training scans in one file on disk: a training reads a few of each scan in any order."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from torch import Tensor

from reference_methods.common.cases import Watch, read
from reference_methods.common.deep.slices import Slicing

HELD_OUT = 10  # of so many scans one validates, and two at least
FEWEST = 4


@dataclass(frozen=True)
class Slices:
    """Values (scans, slices, side, side) as float16, memory-mapped, and which scans train or validate.

    `key` tells these scans, cut this way, from all others: a training's plan holds it.
    """

    values: NDArray[np.float16]
    training: NDArray[np.int64]
    validation: NDArray[np.int64]
    key: str = ""

    @property
    def per_scan(self) -> int:
        """How many slices a scan has."""
        return int(self.values.shape[1])

    def take(self, scans: NDArray[np.int64] | int, slices: NDArray[np.int64] | slice) -> Tensor:
        """Slices of scans, pair by pair or all of one scan's, as float32 (n, 1, side, side)."""
        return torch.from_numpy(self.values[scans, slices].astype(np.float32)).unsqueeze(1)

    def draw(self, count: int, rng: np.random.Generator) -> Tensor:
        """Slices of training scans at random, as `take`."""
        return self.take(rng.choice(self.training, count), rng.integers(self.per_scan, size=count))


def store(scans: Sequence[Path], slicing: Slicing, folder: Path, watch: Watch) -> Slices:
    """Cut all scans once; the same scans, cut the same way, are found again in the folder.

    Scans may have slices of different sizes, since all are brought to one side; but slices of one number are
    taken for the same place of the body.

    Raises:
        ValueError: there are fewer than four scans, or their numbers of slices differ.
    """
    if len(scans) < FEWEST:
        raise ValueError(f"{len(scans)} training scans; to learn and to validate takes {FEWEST}")
    key = _key(scans, slicing)
    file = folder / f"slices-{key}.npy"
    if not file.exists():
        _write(scans, slicing, file, watch)
    held_out = max(2, len(scans) // HELD_OUT)
    order = np.arange(len(scans))
    return Slices(np.load(file, mmap_mode="r"), order[:-held_out], order[-held_out:], key)


def _write(scans: Sequence[Path], slicing: Slicing, file: Path, watch: Watch) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(f".{os.getpid()}.partial")  # another method's training may write the same
    try:
        _fill(partial, scans, slicing, watch)
        os.replace(partial, file)
    finally:
        partial.unlink(missing_ok=True)


def _fill(file: Path, scans: Sequence[Path], slicing: Slicing, watch: Watch) -> None:
    first = slicing.count(read(scans[0]).data)
    values = open_memmap(file, "w+", np.float16, (len(scans), first, slicing.side, slicing.side))
    for place, path in enumerate(watch(scans, "slices")):
        data = read(path).data
        if slicing.count(data) != first:
            raise ValueError(f"{path.name} has {slicing.count(data)} slices, the scans before it {first}")
        values[place] = slicing.cut(data).squeeze(1).numpy()
    values.flush()


def _key(scans: Sequence[Path], slicing: Slicing) -> str:
    stated = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in scans]
    return sha256(repr((stated, slicing)).encode()).hexdigest()[:16]
