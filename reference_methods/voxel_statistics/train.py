"""Learn voxel statistics from a dataset's training scans, one scan in memory at a time."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from reference_methods.common.cases import Watch, read, same
from reference_methods.common.squashing import Squashing
from reference_methods.voxel_statistics.model import Atlas, Model, of_case

FLOOR_SHARE = 1.0  # of the root mean square deviation


def train(scans: Sequence[Path], watch: Watch = same) -> Model:
    """Two passes: the atlas, then how far normal scans are from it. Raises `ValueError` below two scans."""
    atlas = learn_atlas(scans, watch)
    case_distances, voxel_distances = [], []
    for path in watch(scans, "normal distances"):
        distances = atlas.distances(read(path).data)
        case_distances.append(of_case(distances))
        voxel_distances.append(float(np.percentile(distances, 99.9)))
    return Model(atlas, Squashing.learn(case_distances), Squashing.learn(voxel_distances, 50))


def learn_atlas(scans: Sequence[Path], watch: Watch = same) -> Atlas:
    """Mean and deviation per voxel. Raises `ValueError` on scans of several shapes and on fewer than two."""
    if len(scans) < 2:
        raise ValueError(f"{len(scans)} training scan; a deviation needs at least two")
    shape = read(scans[0]).data.shape
    total = np.zeros(shape)
    squares = np.zeros(shape)
    for path in watch(scans, "mean and deviation"):
        data = read(path).data
        if data.shape != shape:
            raise ValueError(f"{path.name} is {data.shape}, the scans before it {shape}")
        total += data
        squares += np.square(data, dtype=np.float64)
    mean = total / len(scans)
    variance = np.maximum(squares - len(scans) * mean**2, 0) / (len(scans) - 1)
    floor = FLOOR_SHARE * float(np.sqrt(variance.mean()))
    return Atlas(mean.astype(np.float32), np.sqrt(variance).astype(np.float32), max(floor, 1e-6))
