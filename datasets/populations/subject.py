"""What a population hands out: one person's anatomy, before anything is wrong with it."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Subject:
    """A normal scan without noise.

    `image`: float32 (x, y, z), axes towards right, anterior and superior; robust maximum about 1.
    `foreground`: bool (x, y, z), where there is anatomy. `noise`: standard deviation of the noise that
    the scanner will add. `stripped`: outside the foreground the finished scan is exactly 0.
    """

    image: NDArray[np.float32]
    foreground: NDArray[np.bool_]
    noise: float
    stripped: bool


class Population(Protocol):
    """A kind of scan; every module of this folder that draws subjects is one."""

    def draw(
        self, rng: np.random.Generator, shape: tuple[int, int, int], spacing_mm: tuple[float, float, float]
    ) -> Subject:
        """A new person."""
        ...

    def with_noise(
        self, rng: np.random.Generator, image: NDArray[np.float32], deviation: float
    ) -> NDArray[np.float32]:
        """The scanner's own noise on top of `image`."""
        ...
