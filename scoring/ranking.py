"""Places per dataset and their consensus, as in the challenge: by mean of places, equal means share a place.

The published tables of the MOOD 2020 edition follow from this rule (Zimmerer, thesis, section 4.1).
"""

from collections.abc import Mapping, Sequence
from math import isnan
from typing import TypeVar

Key = TypeVar("Key", int, tuple[bool, float])


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
    if len({len(column) for column in places_by_dataset.values()}) > 1:
        raise ValueError("every dataset places the same competitors")
    # All means are over the same number of datasets, so sums order them, and without rounding.
    return _places([sum(row) for row in zip(*places_by_dataset.values(), strict=True)])


def _places(keys: Sequence[Key]) -> list[int]:
    first: dict[Key, int] = {}
    for place, key in enumerate(sorted(keys), start=1):
        first.setdefault(key, place)
    return [first[key] for key in keys]
