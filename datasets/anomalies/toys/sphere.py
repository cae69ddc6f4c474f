"""A ball of one grey value with a soft edge: the organisers' toy anomaly (Zimmerer, thesis, section 4.1)."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from datasets.anomalies.scene import Floats
from datasets.anomalies.toys.solid import Shares, Solid


@dataclass(frozen=True)
class Sphere(Solid):
    """A ball; its radius is about 13, 10 or 7 % of the volume's shortest side."""

    name: ClassVar[str] = "sphere"
    shares: ClassVar[tuple[Shares, Shares, Shares]] = ((0.11, 0.15), (0.08, 0.11), (0.05, 0.08))

    @staticmethod
    def distance(away: Floats) -> Floats:
        distance: Floats = np.sqrt((away**2).sum(axis=0))
        return distance
