"""Cases in, predictions out: what a method reads from /mnt/data and writes to /mnt/pred."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from nibabel.nifti1 import Nifti1Image
from numpy.typing import NDArray

# Goes through paths for a purpose told in words, and may show how far it is.
Watch = Callable[[Sequence[Path], str], Iterable[Path]]


@dataclass(frozen=True)
class Case:
    """One scan: its file, its values (x, y, z) and its affine (4, 4)."""

    path: Path
    data: NDArray[np.float32]
    affine: NDArray[np.float64]

    def digest(self) -> bytes:
        """SHA-256 of the file."""
        return sha256(self.path.read_bytes()).digest()


def find(folder: Path) -> list[Path]:
    """The scans of a folder, by name. Raises `FileNotFoundError` when there is none."""
    paths = sorted(folder.glob("*.nii.gz"))
    if not paths:
        raise FileNotFoundError(f"no *.nii.gz in {folder}")
    return paths


def read(path: Path) -> Case:
    """Raises `ValueError` when the file is not one volume."""
    image = Nifti1Image.from_filename(path)
    data = np.asarray(image.dataobj, dtype=np.float32)
    if data.ndim != 3:
        raise ValueError(f"{path.name}: {data.ndim} axes, 3 expected")
    return Case(path, data, np.asarray(image.affine, dtype=np.float64))


def same(paths: Sequence[Path], _: str) -> Iterable[Path]:
    """The paths as they are: what a trainer goes through when nobody watches its progress."""
    return paths


def read_all(folder: Path) -> Iterator[Case]:
    """The cases of a folder one after the other, so that one is in memory at a time."""
    for path in find(folder):
        yield read(path)


def write_score(folder: Path, case: Case, score: float) -> None:
    """Write `<input name>.txt` with one number in [0, 1]."""
    _check_range(np.array(score))
    partial = folder / f".{case.path.name}.txt"
    partial.write_text(f"{score!r}\n")
    os.replace(partial, folder / f"{case.path.name}.txt")


def write_map(folder: Path, case: Case, scores: NDArray[np.float32]) -> None:
    """Write scores in [0, 1] (x, y, z) under the name of the input, with its shape and affine."""
    if scores.shape != case.data.shape:
        raise ValueError(f"{case.path.name}: scores {scores.shape} for a scan {case.data.shape}")
    _check_range(scores)
    partial = folder / f".{case.path.name}"
    Nifti1Image(scores.astype(np.float32, copy=False), case.affine).to_filename(partial)
    os.replace(partial, folder / case.path.name)


def _check_range(scores: NDArray[Any]) -> None:
    """Raises `ValueError` on NaN and on values outside [0, 1]: the platform would clip them in silence."""
    if not (np.all(scores >= 0) and np.all(scores <= 1)):
        raise ValueError("a score is outside [0, 1]")
