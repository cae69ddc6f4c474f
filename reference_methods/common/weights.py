"""Learned figures on disk: one .npz a dataset, plain arrays only."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]


def save(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write arrays under a temporary name, then rename; equal arrays give equal bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}")
    with partial.open("wb") as file:
        np.savez_compressed(file, **arrays)
    os.replace(partial, path)


def load(path: Path) -> Arrays:
    """Raises `FileNotFoundError` when nothing was learned for the dataset."""
    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}
