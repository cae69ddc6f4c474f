"""Learn principal components from a dataset's training scans.

Scans are held in memory on the coarse grid. The residuals of the scans that made a subspace are smaller than
those of others, so what is usual is learned from each half of the scans by the components of the other half.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reference_methods.common.cases import Watch, read, same
from reference_methods.common.squashing import Squashing
from reference_methods.pca.grid import factor_for, reduced
from reference_methods.pca.model import Model, Subspace, of_case

COMPONENTS = 20
SCANS_PER_COMPONENT = 2  # fewer would be learned by heart
FLOOR_SHARE = 1.0  # of the root mean square residual, added to the usual one
FEWEST = 4


def train(scans: Sequence[Path], watch: Watch = same) -> Model:
    """Raises `ValueError` on scans of several shapes and on fewer than four."""
    if len(scans) < FEWEST:
        raise ValueError(f"{len(scans)} training scans; components and their residuals need {FEWEST}")
    coarse, shape = _read(scans, watch)
    halves = coarse[::2], coarse[1::2]
    crossed = [(learn(halves[1]), halves[0]), (learn(halves[0]), halves[1])]
    residuals = [subspace.residual(scan) for subspace, half in crossed for scan in half]
    size = np.sqrt(np.mean(np.square(residuals), axis=0))
    usual = (size + max(FLOOR_SHARE * float(np.sqrt(np.mean(size**2))), 1e-6)).astype(np.float32)
    unscaled = Model(learn(coarse), usual, shape, Squashing(1.0), Squashing(1.0))
    return _with_curves(unscaled, crossed)


def learn(scans: NDArray[np.float32]) -> Subspace:
    """The first components of coarse scans (scans, x, y, z), by the singular values of their Gram matrix.

    There are at most COMPONENTS, and at most half as many as scans.
    """
    rows = scans.reshape(len(scans), -1)
    mean = rows.mean(axis=0, dtype=np.float64).astype(np.float32)
    centred = rows - mean
    values, vectors = np.linalg.eigh(centred.astype(np.float64) @ centred.T.astype(np.float64))
    kept = max(1, min(COMPONENTS, len(rows) // SCANS_PER_COMPONENT))
    scale = np.sqrt(np.maximum(values[-kept:], 1e-12))
    components = (vectors[:, -kept:] / scale).T @ centred
    return Subspace(mean, components[::-1].astype(np.float32))


def _read(scans: Sequence[Path], watch: Watch) -> tuple[NDArray[np.float32], tuple[int, ...]]:
    shape = read(scans[0]).data.shape
    coarse = []
    for path in watch(scans, "principal components"):
        data = read(path).data
        if data.shape != shape:
            raise ValueError(f"{path.name} is {data.shape}, the scans before it {shape}")
        coarse.append(reduced(data, factor_for(shape)))
    return np.stack(coarse), shape


def _with_curves(model: Model, crossed: Sequence[tuple[Subspace, NDArray[np.float32]]]) -> Model:
    """The model with curves learned from scans by components that have not seen them."""
    case_distances, voxel_distances = [], []
    for subspace, half in crossed:
        unseen = replace(model, subspace=subspace)
        for scan in half:
            distances = unseen.of_coarse(scan)
            case_distances.append(of_case(distances))
            voxel_distances.append(float(np.percentile(distances, 99.9)))
    return replace(
        model,
        case_curve=Squashing.learn(case_distances),
        voxel_curve=Squashing.learn(voxel_distances, 50),
    )
