"""Learn histograms from a dataset's training scans, one scan in memory at a time."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reference_methods.common.cases import Watch, read, same
from reference_methods.common.squashing import Squashing
from reference_methods.histogram.model import (
    BLOCKS,
    VOXEL_BINS,
    Model,
    Rarity,
    Subspace,
    bins_of,
    blocks_of,
    features_of,
)

EXPLAINED = 0.9999  # share of the variance that the components keep, as in the original
SCANS_PER_COMPONENT = 4  # a variance learned from fewer scans is not worth dividing by
UNSEEN = 1.0  # added to every count, so that what was never seen is surprising and not impossible


def train(scans: Sequence[Path], watch: Watch = same) -> Model:
    """Two passes: the histograms, then how surprising normal scans are. `ValueError` below two scans."""
    if len(scans) < 2:
        raise ValueError(f"{len(scans)} training scan; a variance needs at least two")
    features = []
    counts = np.zeros(BLOCKS**3 * VOXEL_BINS, dtype=np.int64)
    for path in watch(scans, "histograms"):
        data = read(path).data
        features.append(features_of(data))
        place = blocks_of(data.shape) * VOXEL_BINS + bins_of(data, VOXEL_BINS)
        counts += np.bincount(place.ravel(), minlength=len(counts))
    subspace = learn_subspace(np.stack(features))
    rarity = learn_rarity(counts.reshape(BLOCKS**3, VOXEL_BINS))
    surprises = [float(np.percentile(rarity.of(read(path).data), 99.9)) for path in watch(scans, "surprise")]
    distances = [subspace.distance(row) for row in features]
    return Model(subspace, rarity, Squashing.learn(distances), Squashing.learn(surprises, 50))


def learn_subspace(features: NDArray[np.float64]) -> Subspace:
    """Principal components of features (scans, bins)."""
    scans, bins = features.shape
    mean = features.mean(axis=0)
    _, singular, components = np.linalg.svd(features - mean, full_matrices=False)
    variances = singular**2 / (scans - 1)
    enough = int(np.searchsorted(np.cumsum(variances), EXPLAINED * variances.sum())) + 1
    kept = max(1, min(enough, scans // SCANS_PER_COMPONENT))
    # Never nothing: training scans that are all alike must not make every other scan infinitely far.
    rest = max(float(variances[kept:].sum()) / max(bins - kept, 1), 1e-9)
    return Subspace(mean, components[:kept], np.maximum(variances[:kept], rest), rest)


def learn_rarity(counts: NDArray[np.int64]) -> Rarity:
    """Surprise from counts (blocks, bins)."""
    shares = (counts + UNSEEN) / (counts + UNSEEN).sum(axis=1, keepdims=True)
    return Rarity((-np.log(shares)).astype(np.float32))
