"""A corruption: anatomy drawn together towards a point."""

from dataclasses import dataclass
from typing import ClassVar

from datasets.anomalies.corruptions.radial import Radial
from datasets.anomalies.scene import Floats


@dataclass(frozen=True)
class SinkDeformation(Radial):
    name: ClassVar[str] = "sink-deformation"

    def come_from(self, depth: Floats) -> Floats:
        found: Floats = 1 - (1 - depth) ** self.power
        return found
