"""What one entrant's predictions on one part amount to: the figures, and what further figures are made of."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

from scoring.report.digests import SCORED
from scoring.report.plan import Plan
from scoring.report.study import Predictions
from scoring.report.values import Told
from scoring.strata import CaseFigures, VoxelFigures
from scoring.undefined import Figure

Groups = dict[str, dict[Hashable, CaseFigures | VoxelFigures]]


@dataclass(frozen=True)
class Thresholds:
    """Where to cut voxel scores, chosen on the toy cases by best Dice; None with a reason.

    `objects` is the best of the thresholds that the challenge names for objects.
    """

    dice: Figure
    objects: Figure


@dataclass(frozen=True)
class Measurement:
    """One entrant on one part.

    `ranking` is the figure that places are by; `figures` all of them, told. `batches` are the batches'
    average precisions by arrangement, those of an arrangement empty where one is undefined. `chosen` on voxel
    scores: the thresholds with the best Dice here. `voxels`: positive and all voxels of each case.
    """

    ranking: Figure
    figures: dict[str, Any]
    outcomes: dict[str, Any]
    predictions: Predictions = field(default_factory=lambda: Predictions({}))
    batches: tuple[tuple[float, ...], ...] = ()
    groups: Groups = field(default_factory=dict)
    chosen: Thresholds | None = None
    voxels: tuple[tuple[int, int], ...] = ()
    digest: str | None = None

    @property
    def ranking_batches(self) -> tuple[float, ...]:
        """The average precisions of which `ranking` is the mean; none at case level or where undefined."""
        return self.batches[0] if self.batches else ()


def outcomes_of(plan: Plan, predictions: Predictions, policy: str, cost: dict[str, Told]) -> dict[str, Any]:
    """How many cases had which outcome, and what the policy for absent ones cost."""
    counts: dict[str, int] = {}
    for case in plan.ids:
        outcome = predictions.outcomes[case]
        counts[outcome] = counts.get(outcome, 0) + 1
    absent = len(plan.ids) - counts.get(SCORED, 0)
    return {"counts": dict(sorted(counts.items())), "absent": absent, "policy": policy, "cost": cost}


def lacking(plan: Plan, predictions: Predictions | None, level: str) -> str | None:
    """Why there is nothing to measure, or None."""
    if predictions is None:
        return "there are no results on this dataset"
    have = predictions.histograms if level == "voxel" else predictions.scores
    absent = sum(case not in have or case not in predictions.outcomes for case in plan.ids)
    return f"results of {absent} of {len(plan.ids)} cases are lacking" if absent else None


def rejected(plan: Plan, predictions: Predictions, policy: str) -> str | None:
    """Why the policy `reject` leaves nothing to measure, or None."""
    absent = sum(predictions.outcomes[case] != SCORED for case in plan.ids)
    if policy != "reject" or not absent:
        return None
    have = "case has" if absent == 1 else "cases have"
    return f"{absent} {have} no usable prediction, and this challenge rejects such submissions"
