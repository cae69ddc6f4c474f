"""Toy results case by case: toy cases and their labels are public, so a participant may see each of them."""

from collections.abc import Mapping, Sequence
from typing import Any

from scoring.histograms import VoxelHistogram
from scoring.report.plan import Plan
from scoring.report.study import CaseFacts, Entrant, Predictions, TaskStudy
from scoring.report.values import computed


def toy_cases(
    task: TaskStudy, plans: Mapping[str, Plan], entrants: Sequence[Entrant]
) -> dict[str, list[list[dict[str, Any]]]]:
    """By dataset and entrant, the toy cases with label, outcome, and score or average precision."""
    return {
        name: [_of(plan.part.predictions.get(one.submission), plan.part.cases) for one in entrants]
        for name, plan in plans.items()
    }


def _of(predictions: Predictions | None, cases: Sequence[CaseFacts]) -> list[dict[str, Any]]:
    if predictions is None:
        return []
    return [_case(case, predictions) for case in cases if case.id in predictions.outcomes]


def _case(case: CaseFacts, predictions: Predictions) -> dict[str, Any]:
    told: dict[str, Any] = {
        "case": case.id,
        "label": case.label,
        "size": case.size,
        "outcome": predictions.outcomes[case.id],
        "remark": predictions.remarks.get(case.id),
    }
    if case.id in predictions.scores:
        told["score"] = predictions.scores[case.id]
    if case.id in predictions.histograms:
        told |= _voxels(predictions.histograms[case.id])
    return told


def _voxels(histogram: VoxelHistogram) -> dict[str, Any]:
    share = histogram.positive_voxels / (histogram.positive_voxels + histogram.negative_voxels)
    return {"average_precision": computed(histogram.average_precision) | {"positive_share": share}}
