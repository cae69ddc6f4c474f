"""Who gets which anomaly: kinds and difficulties spread evenly over what differs between people.

Chance alone would give one kind more old people, another more fat ones; then a method that is bad at old
people looks bad at a kind.
"""

from collections.abc import Mapping, Sequence
from itertools import count
from math import lcm
from statistics import median

import numpy as np

from challenges.spec import Dataset, Difficulty
from datasets.populations.registry import POPULATIONS

Properties = Mapping[str, float | str]
COARSE = 12  # voxels a side; what is drawn of a person doesn't depend on the voxels that show it


class StrataError(ValueError):
    """People do not have a property that the challenge names; the message says which they have."""


def survey(dataset: Dataset, rng: np.random.Generator, variant: str | None) -> Properties:
    """What is known of the person that `rng` would draw, from a volume so coarse that it costs little."""
    spacing = tuple(n * mm / COARSE for n, mm in zip(dataset.shape, dataset.spacing_mm, strict=True))
    x, y, z = spacing
    population = POPULATIONS[dataset.population]
    return population.draw(rng, (COARSE,) * 3, (x, y, z), variant=variant).properties


def combinations(
    index: int, kinds: int, difficulties: Sequence[Difficulty], variants: Sequence[str]
) -> tuple[int, Difficulty, str | None]:
    """Kind (its number), difficulty and variant of the `index`-th case: all in turn, in every combination.

    Of each kind there are as many easy, medium and hard ones, and as many of each variant, give or take one.
    """
    kind, turn = index % kinds, index // kinds + index % kinds
    difficulty = difficulties[turn % len(difficulties)]
    if not variants:
        return kind, difficulty, None
    turn %= len(difficulties) * len(variants)
    shifted = turn + turn // lcm(len(difficulties), len(variants))
    return kind, difficulty, variants[shifted % len(variants)]


def spread(
    people: Sequence[Properties], kinds: Sequence[str], strata: Sequence[str], rng: np.random.Generator
) -> list[int]:
    """Which person gets the i-th anomaly, of kind `kinds[i]`: a permutation of their numbers.

    People are put in the order of their properties, and each stretch of them gets every kind once.

    Raises:
        StrataError: somebody lacks one of `strata`.
    """
    turn: dict[str, count[int]] = {}
    turns = [next(turn.setdefault(kind, count())) for kind in kinds]
    chance = rng.permutation(len(kinds))
    anomalies = sorted(range(len(kinds)), key=lambda i: (turns[i], chance[i]))
    persons = ordered(people, strata)
    given = dict(zip(anomalies, persons, strict=True))
    return [given[i] for i in range(len(kinds))]


def ordered(people: Sequence[Properties], strata: Sequence[str]) -> list[int]:
    """The numbers of the people by their properties: words and halves of numbers, the last number in full."""
    for person in people:
        for name in strata:
            if name not in person:
                raise StrataError(
                    f"there is no property {name!r} to stratify over; choose from {sorted(person)}"
                )
    keys: list[list[tuple[float, str]]] = [[] for _ in people]
    for place, name in enumerate(strata, 1):
        values = [person[name] for person in people]
        numbers = [value for value in values if not isinstance(value, str)]
        middle = median(numbers) if numbers else 0.0
        for key, value in zip(keys, values, strict=True):
            if isinstance(value, str):
                key.append((0.0, value))
            else:
                key.append((float(value) if place == len(strata) else float(value >= middle), ""))
    return sorted(range(len(people)), key=lambda i: keys[i])
