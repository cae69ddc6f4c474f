"""A cube of one grey value with a soft edge: the other shape of toy-like sets (Zimmerer, thesis, 4.1.5)."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from datasets.anomalies.scene import Floats
from datasets.anomalies.toys.solid import Shares, Solid


@dataclass(frozen=True)
class Cube(Solid):
    """A cube; half its side is about 10, 8 or 6 % of the volume's shortest one."""

    name: ClassVar[str] = "cube"
    shares: ClassVar[tuple[Shares, Shares, Shares]] = ((0.09, 0.12), (0.07, 0.09), (0.04, 0.07))

    @staticmethod
    def distance(away: Floats) -> Floats:
        distance: Floats = np.abs(away).max(axis=0)
        return distance
