"""All scans of a dataset, each read once, and the little that is kept of them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datasets import volume
from datasets.leaks import images, places, scan
from datasets.leaks.baselines import VoxelCounts
from datasets.manifest import Case, File, Manifest

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Comparison:
    """An anomaly of this kind: what was measured there, and in the same place of normal cases."""

    kind: str
    own: dict[str, float]
    others: list[dict[str, float]]


@dataclass(frozen=True)
class Seen:
    """What is kept, each list in the manifest's order.

    `envelopes` of hidden cases, `others` of toy and training cases, `thumbnails` of all. `features` of hidden
    scans, and the same `outside` the anomaly: a normal scan leaves out the place of some anomaly, too.
    """

    envelopes: list[scan.Envelope]
    others: list[scan.Envelope]
    features: list[dict[str, float]]
    outside: list[dict[str, float]]
    thumbnails: list[NDArray[np.float32]]
    comparisons: list[Comparison]
    voxels: VoxelCounts


def read(folder: Path, described: Manifest, rng: np.random.Generator, progress: Progress) -> Seen:
    """Read a dataset.

    Raises:
        VolumeError, OSError: a file is missing or damaged.
    """
    test = described.cases_of("test")
    spots = [places.place(case, mask) for case, mask in _local_masks(folder, test)]
    own = {spot.case.id: index for index, spot in enumerate(spots)}
    assigned = places.assign(spots, [case for case in test if case.label == 0], rng)
    seen = Seen(
        [], [], [], [], [], [Comparison(str(spot.case.kind), {}, []) for spot in spots], VoxelCounts()
    )
    for done, case in enumerate(described.cases):
        one = scan.read(folder, case)
        seen.thumbnails.append(images.thumbnail(one.data))
        (seen.envelopes if case.part == "test" else seen.others).append(one.envelope)
        if case.part == "test":
            left_out = own.get(case.id, int(rng.integers(len(spots))) if spots else None)
            _keep(seen, one, folder, None if left_out is None else spots[left_out])
        if case.id in own:
            index = own[case.id]
            seen.comparisons[index].own.update(_measured(spots[index], one))
        for index in assigned.get(case.id, ()):
            seen.comparisons[index].others.append(_measured(spots[index], one))
        progress(done + 1, len(described.cases))
    return seen


def _keep(seen: Seen, one: scan.Scan, folder: Path, left_out: places.Place | None) -> None:
    everywhere = np.ones(one.data.shape, dtype=bool)
    seen.features.append(images.features(one.data, everywhere))
    rest = everywhere if left_out is None else left_out.outside(one.data.shape)
    seen.outside.append(images.features(one.data, rest))
    if one.case.mask is not None:
        seen.voxels.add(one.data, _mask(folder, one.case.mask))


def _measured(spot: places.Place, one: scan.Scan) -> dict[str, float]:
    return places.measure(spot.crop(one.data), spot.mask)


def _local_masks(folder: Path, test: list[Case]) -> list[tuple[Case, places.Mask]]:
    local = [case for case in test if case.category == "local"]
    found = [(case, _mask(folder, case.mask)) for case in local if case.mask is not None]
    return [(case, mask) for case, mask in found if mask.any()]


def _mask(folder: Path, file: File) -> places.Mask:
    return volume.read(folder / file.path).data > 0.5
