"""A corruption: anatomy swollen from a point."""

from dataclasses import dataclass
from typing import ClassVar

from datasets.anomalies.corruptions.radial import Radial
from datasets.anomalies.scene import Floats


@dataclass(frozen=True)
class SourceDeformation(Radial):
    name: ClassVar[str] = "source-deformation"

    def come_from(self, depth: Floats) -> Floats:
        found: Floats = depth**self.power
        return found
