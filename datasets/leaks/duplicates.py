"""One subject twice, or in training and test: nearest neighbours among thumbnails of all scans."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datasets.analysis import SERIES
from datasets.manifest import Case

ALIKE = 0.87  # two scans of one subject have 0.92 to 0.99; the nearest two of 375 abdomens had 0.81 (64³)
OUTLYING = 4.0  # robust deviations on Fisher's scale: twins have 5 to 11, the nearest others 3 (64³)


@dataclass(frozen=True)
class Pair:
    """Two scans by their positions, and how much they are correlated."""

    first: int
    second: int
    correlation: float


def different_people(cases: Sequence[Case]) -> list[int]:
    """Positions of cases that must all show different people: of a series, which shows one, the first."""
    series: set[str | None] = set()
    kept = []
    for index, case in enumerate(cases):
        if case.analysis not in series:
            kept.append(index)
        if case.analysis in SERIES:
            series.add(case.analysis)
    return kept


def nearest(thumbnails: NDArray[np.float32]) -> NDArray[np.float64]:
    """Correlations (scans, scans) of `thumbnails` (scans, values) without what all scans share."""
    values = thumbnails.astype(np.float64)
    shared = values.mean(axis=0)
    shared -= shared.mean()
    rest = values - values.mean(axis=1, keepdims=True)
    rest -= np.outer(rest @ shared / max(float(shared @ shared), 1e-12), shared)
    length = np.linalg.norm(rest, axis=1, keepdims=True)
    rest /= np.maximum(length, 1e-12)
    correlations: NDArray[np.float64] = rest @ rest.T
    return correlations


def suspicious(correlations: NDArray[np.float64]) -> list[Pair]:
    """Pairs more alike than different subjects can be, the most alike first."""
    first, second = np.triu_indices(len(correlations), 1)
    found = correlations[first, second]
    if found.size == 0:
        return []
    scale = np.arctanh(np.clip(found, -0.999999, 0.999999))
    middle = float(np.median(scale))
    spread = 1.4826 * float(np.median(np.abs(scale - middle)))
    odd = np.flatnonzero((found >= ALIKE) & (scale > middle + OUTLYING * spread))
    pairs = [Pair(int(first[i]), int(second[i]), float(found[i])) for i in odd]
    return sorted(pairs, key=lambda pair: -pair.correlation)


def same(digests: Sequence[str]) -> list[tuple[int, int]]:
    """Positions of files that are equal to an earlier one, with that one's."""
    seen: dict[str, int] = {}
    return [(seen[one], i) for i, one in enumerate(digests) if seen.setdefault(one, i) != i]
