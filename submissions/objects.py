"""Which objects a challenge has counted in predictions, and what is counted where there is no prediction."""

from dataclasses import dataclass

import numpy as np

from challenges.spec import Challenge
from scoring.masks import Mask
from scoring.objects import ObjectCounts, ObjectRule, count_objects


@dataclass(frozen=True)
class Sought:
    """Where scores are cut into objects, and what is one. No thresholds, no rule: none are counted."""

    thresholds: tuple[float, ...] = ()
    rule: ObjectRule | None = None

    @classmethod
    def by(cls, challenge: Challenge, task: str, dataset: str) -> "Sought":
        """What the challenge asks for in one task and dataset."""
        asked = challenge.tasks[task].metric.objects
        if asked is None:
            return cls()
        spacing = challenge.datasets[dataset].spacing_mm
        return cls(asked.thresholds, ObjectRule(asked.min_volume_mm3, spacing))

    def overlooked(self, mask: Mask) -> dict[float, ObjectCounts]:
        """By threshold, the counts of a case without a usable prediction: nothing found, all overlooked."""
        if self.rule is None:
            return {}
        nothing = np.zeros(mask.shape, dtype=np.bool_, order="F")
        counts = count_objects(nothing, mask.array(), self.rule)
        return dict.fromkeys(self.thresholds, counts)
