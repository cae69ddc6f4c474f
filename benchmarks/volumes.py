"""Predictions and masks to be scored: noise that fills a share of the volume, and balls that are abnormal.

The shares give `.nii.gz` files as methods write them: a background of zeros around the body (`masked`), a
number everywhere (`dense`), a few suspicious spots (`sparse`). In 256³ voxels of float32 these are 15, 61
and 1.2 MB, gzip level 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from nibabel.openers import Opener
from numpy.random import Generator
from numpy.typing import NDArray

from scoring.masks import Mask

SHARES = {"masked": 0.25, "dense": 1.0, "sparse": 0.015}
# So many volumes of noise differ; the other cases of a batch have the same noise and a mask of their own.
DISTINCT = 4


@dataclass(frozen=True)
class Ball:
    """Centre and radius, where a volume reaches from -1 to 1 along each axis."""

    centre: tuple[float, float, float]
    radius: float

    @staticmethod
    def near(centre: Sequence[float], rng: Generator) -> "Ball":
        """A ball that covers about a five hundredth of the volume, somewhere near."""
        x, y, z = rng.normal(centre, 0.03)
        return Ball((x, y, z), rng.uniform(0.12, 0.18))

    def voxels(self, size: int) -> NDArray[np.bool_]:
        """(size, size, size), true inside."""
        axis = np.linspace(-1, 1, size, dtype=np.float32)
        x, y, z = np.ix_(*(axis - np.float32(middle) for middle in self.centre))
        inside: NDArray[np.bool_] = x * x + y * y + z * z <= self.radius**2
        return inside


@dataclass(frozen=True)
class Paths:
    """The files of a batch, one of each a case: predictions, labels as NIfTI, and labels as we keep them."""

    predictions: list[str]
    labels: list[str]
    masks: list[str]


def scores(kind: str, lesion: Ball, size: int, dtype: str, rng: Generator) -> NDArray[Any]:
    """Noise in [0, 1), higher inside the lesion, zero outside the share that the kind fills."""
    values = rng.random((size, size, size), dtype=np.dtype(dtype).type)
    inside = lesion.voxels(size)
    values[inside] = np.sqrt(values[inside])
    if SHARES[kind] < 1:
        values[~Ball((0, 0, 0), _radius(SHARES[kind])).voxels(size)] = 0
    return values


def one_volume(kind: str, size: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Scores and mask of one case in memory, (size, size, size) both."""
    rng = np.random.default_rng(seed)
    lesion = Ball.near((0, 0, 0), rng)
    return scores(kind, lesion, size, "float32", rng), Ball.near(lesion.centre, rng).voxels(size)


def write_batches(
    folder: Path, kinds: Sequence[tuple[str, str]], cases: int, size: int, rng: Generator
) -> dict[tuple[str, str], Paths]:
    """Write predictions of each (kind, dtype) for the same cases, of which about half are abnormal.

    The folder is made where it is missing.
    """
    folder.mkdir(exist_ok=True)
    lesions = [Ball.near((0, 0, 0), rng) for _ in range(min(cases, DISTINCT))]
    labels, masks = [], []
    for case in range(cases):
        mask = Ball.near(lesions[case % DISTINCT].centre, rng).voxels(size)
        if case // DISTINCT % 2:
            mask[:] = False
        labels.append(_save(mask.astype(np.uint8), folder / f"label_{case:02}.nii.gz"))
        masks.append(str(folder / f"mask_{case:02}.bin"))
        Path(masks[-1]).write_bytes(Mask.of(mask).to_bytes())
    batches = {}
    for kind, dtype in kinds:
        files = [
            _save(scores(kind, lesion, size, dtype, rng), folder / f"{kind}_{dtype}_{number}.nii.gz")
            for number, lesion in enumerate(lesions)
        ]
        batches[kind, dtype] = Paths([files[case % DISTINCT] for case in range(cases)], labels, masks)
    return batches


def _radius(share: float) -> float:
    return float((share * 8 * 3 / (4 * pi)) ** (1 / 3))


def _save(values: NDArray[Any], path: Path) -> str:
    if Opener.default_compresslevel != 1:
        raise RuntimeError("this nibabel compresses at another level than 1")
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), path)
    return str(path)
