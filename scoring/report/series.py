"""Curves over series of scans that differ in one thing, the radius or the intensity of a sphere."""

from collections.abc import Sequence
from typing import Any

from scoring.dice import best_dice
from scoring.histograms import VoxelHistogram
from scoring.report.digests import SCORED
from scoring.report.study import CaseFacts, Predictions
from scoring.report.values import Told, computed, told, undefined
from scoring.undefined import Figure

VOXEL_FIGURES = ("average_precision", "best_dice")


def series_told(
    cases: Sequence[CaseFacts],
    differing: str,
    level: str,
    column: Sequence[Predictions | None],
    not_yet: str,
) -> dict[str, Any]:
    """By entrant the figures of each step: of voxels AP and best Dice of the case, else the score itself.

    `differing` names the fact by which the cases differ; `column` has everybody's predictions, None where
    there are none, for the reason `not_yet`. What a case without a usable prediction counts as elsewhere is
    no point of a curve: its figures are undefined. `anomaly_free`, for case scores, are those of the scan
    without a sphere, None if the series has none.
    """
    figures = [_figures(case, level, one, not_yet) for one in column for case in cases]
    rows = [figures[start : start + len(cases)] for start in range(0, len(figures), len(cases) or 1)]
    names = VOXEL_FIGURES if level == "voxel" else ("score",)
    made: dict[str, Any] = {
        "differing": differing,
        "steps": [_step(case, differing, column) for case in cases],
        "entrants": [{name: [one[name] for one in row] for name in names} for row in rows],
    }
    if level == "case":
        free = next((index for index, case in enumerate(cases) if not case.label), None)
        made["anomaly_free"] = None if free is None else [row[free]["score"] for row in rows]
    return made


def _step(case: CaseFacts, differing: str, column: Sequence[Predictions | None]) -> dict[str, Any]:
    counted = (one.histograms.get(case.id) for one in column if one is not None)
    histogram = next((one for one in counted if one is not None), None)
    return {
        "value": getattr(case, differing),
        "label": case.label,
        "positive_share": None if histogram is None else _share(histogram),
    }


def _share(histogram: VoxelHistogram) -> float:
    return histogram.positive_voxels / (histogram.positive_voxels + histogram.negative_voxels)


def _figures(case: CaseFacts, level: str, predictions: Predictions | None, not_yet: str) -> dict[str, Told]:
    names = VOXEL_FIGURES if level == "voxel" else ("score",)
    if predictions is None:
        return dict.fromkeys(names, undefined(not_yet))
    outcome = predictions.outcomes.get(case.id)
    if outcome != SCORED:
        why = "it has no result yet" if outcome is None else f"no usable prediction: {outcome}"
        return dict.fromkeys(names, undefined(why.replace("_", " ")))
    if level == "case":
        return {"score": told(Figure(predictions.scores[case.id]))}
    histogram = predictions.histograms[case.id]
    return {
        "average_precision": computed(histogram.average_precision),
        "best_dice": computed(lambda: best_dice(histogram)[0]),
    }
