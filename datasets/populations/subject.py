"""What a population hands out: one person's anatomy, before anything local is wrong with it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

NOTHING_UNUSUAL: Mapping[str, float] = {}


def _no_labels() -> NDArray[np.uint8]:
    return np.zeros((0, 0, 0), dtype=np.uint8)


@dataclass(frozen=True)
class Subject:
    """A normal scan, without noise unless it is `grainy`.

    `image`: float32 (x, y, z), axes towards right, anterior and superior; robust maximum about 1.
    `foreground`: bool (x, y, z), where there is anatomy. `noise`: standard deviation of the noise that
    the scanner will add. `stripped`: outside the foreground the finished scan is exactly 0.
    `labels`: uint8 (x, y, z), the tissue or organ that fills most of a voxel, 0 around the body; the names
    are those of the population's `LABELS`. `spacing_mm`: of the voxels. `properties`: what differs between
    people and is published or stratified over, volumes in millilitres. `grainy`: the image holds its noise
    already, as an imported scan does, and the finaliser only makes up for what its resampling takes away.
    """

    image: NDArray[np.float32]
    foreground: NDArray[np.bool_]
    noise: float
    stripped: bool
    labels: NDArray[np.uint8] = field(default_factory=_no_labels)
    spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0)
    properties: Mapping[str, float | str] = field(default_factory=dict)
    grainy: bool = False


class Population(Protocol):
    """A kind of scan; every module of this folder that draws subjects is one.

    `LABELS`: the numbers in `Subject.labels` by name.
    """

    LABELS: dict[str, int]

    def draw(
        self,
        rng: np.random.Generator,
        shape: tuple[int, int, int],
        spacing_mm: tuple[float, float, float],
        condition: Mapping[str, float] = NOTHING_UNUSUAL,
        variant: str | None = None,
    ) -> Subject:
        """A new person.

        `condition`: what is medically unusual about the whole body; the same state of `rng` gives the same
        person with or without it. `variant`: how they are scanned; None leaves it to the population.

        Raises:
            ValueError: a condition or variant that the population does not know.
        """
        ...

    def with_noise(
        self, rng: np.random.Generator, image: NDArray[np.float32], deviation: float
    ) -> NDArray[np.float32]:
        """`image` with the scanner's own noise; `image` itself may be overwritten."""
        ...


def check_known(condition: Mapping[str, float], conditions: Collection[str]) -> None:
    """See that a population can draw all of `condition`.

    Raises:
        ValueError: naming the first key that it cannot.
    """
    for key in condition:
        if key not in conditions:
            raise ValueError(f"there is no condition {key!r}; choose from {sorted(conditions)}")


def check_variant(variant: str | None, variants: Collection[str]) -> None:
    """See that a population has this variant; None always passes.

    Raises:
        ValueError: it has not.
    """
    if variant is not None and variant not in variants:
        raise ValueError(f"there is no variant {variant!r}; choose from {sorted(variants)}")
