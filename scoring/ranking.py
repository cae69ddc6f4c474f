"""Places per dataset and their consensus, as in the challenge: by mean of places, equal means share a place.

The published tables of the MOOD 2020 edition follow from this rule (Zimmerer, thesis, section 4.1). The other
ways to rank stand beside it, to show what hangs on the choice (Wiesenfarth et al. 2021, "Methods and
open-source toolkit for analyzing and visualizing challenge results").
"""

from collections.abc import Mapping, Sequence
from math import isnan
from statistics import median
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau

from scoring.average_precision import UndefinedMetric

Key = TypeVar("Key", int, float, tuple[bool, float])


def places(values: Sequence[float | None]) -> list[int]:
    """The place of each value, from 1: higher is better, equal values share the best place they cover.

    `None`, a value that does not exist, is behind every number. Raises `ValueError` on NaN.
    """
    if any(value is not None and isnan(value) for value in values):
        raise ValueError("NaN has no place; say None for a value that does not exist")
    return _places([(value is None, -(value or 0.0)) for value in values])


def consensus(places_by_dataset: Mapping[str, Sequence[int]]) -> list[int]:
    """The place of each competitor by the mean of its places, from 1; equal means share the best place.

    Every dataset lists the same competitors in the same order. Raises `ValueError` when the numbers differ.
    """
    # All means are over the same number of datasets, so sums order them, and without rounding.
    return _places([sum(row) for row in _by_competitor(places_by_dataset)])


def consensus_by_median(places_by_dataset: Mapping[str, Sequence[int]]) -> list[int]:
    """The place of each competitor by the median of its places; raises as `consensus` does."""
    return _places([float(median(row)) for row in _by_competitor(places_by_dataset)])


def rank_then_aggregate(values: NDArray[np.float64]) -> list[int]:
    """The place of each competitor by the mean of its places in the single batches.

    `values` (entrants, batches), higher is better. Aggregating first, as the challenge does, lets a batch of
    large differences decide; here every batch weighs the same. Raises `ValueError` on NaN and on shapes.
    """
    if values.ndim != 2:
        raise ValueError(f"values have {values.ndim} dimensions, (entrants, batches) expected")
    return consensus({str(batch): places(column.tolist()) for batch, column in enumerate(values.T)})


def places_by_tests(significant: NDArray[np.bool_]) -> list[int]:
    """The place of each competitor by how many others it significantly beats; equal numbers share a place.

    `significant[a, b]` says that a beats b, (entrants, entrants).
    """
    _check_square(significant)
    return places([float(beaten) for beaten in significant.sum(axis=1)])


def kendall_tau_b(a: Sequence[int], b: Sequence[int]) -> float:
    """Kendall's rank correlation of two rankings of the same competitors, from -1 to 1, corrected for ties.

    As in the thesis, section 4.1.5: toy cases against test cases. Raises `UndefinedMetric` when a ranking is
    one big tie (or of fewer than two), `ValueError` when the rankings differ in length.
    """
    if len(a) != len(b):
        raise ValueError(f"rankings of {len(a)} and of {len(b)} competitors do not compare")
    for ranking in (a, b):
        if len(set(ranking)) < 2:
            raise UndefinedMetric("Kendall's tau needs a ranking that tells at least two competitors apart")
    return float(kendalltau(a, b, variant="b").statistic)


def _by_competitor(places_by_dataset: Mapping[str, Sequence[int]]) -> list[tuple[int, ...]]:
    if len({len(column) for column in places_by_dataset.values()}) > 1:
        raise ValueError("every dataset places the same competitors")
    return list(zip(*places_by_dataset.values(), strict=True))


def _check_square(table: NDArray[Any]) -> None:
    if table.ndim != 2 or table.shape[0] != table.shape[1]:
        raise ValueError(f"a table of pairs is square, not {table.shape}")


def _places(keys: Sequence[Key]) -> list[int]:
    first: dict[Key, int] = {}
    for place, key in enumerate(sorted(keys), start=1):
        first.setdefault(key, place)
    return [first[key] for key in keys]
