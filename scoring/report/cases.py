"""Case by case what everybody reached, for the organizers' eyes: hidden cases have names here.

This is no part of the document that a report is made of, which names no case of the test part. Cases on which
everybody does badly are the hard ones, those on which some do well and others don't are disputed.
"""

from collections.abc import Hashable, Sequence
from itertools import compress
from math import fsum
from statistics import pstdev
from typing import Any

import numpy as np

from scoring.aggregate import per_case_average_precision
from scoring.report.case_level import scores_of
from scoring.report.measures import lacking
from scoring.report.plan import Plan, plan_of
from scoring.report.study import CaseFacts, Part, Predictions, Study, TaskStudy
from scoring.report.voxel_level import histograms_of
from scoring.strata import Bin

Row = dict[str, Any]
Values = list[float | None]


def cases_told(study: Study, task: TaskStudy) -> dict[str, Any]:
    """The test cases of a task by dataset, with everybody's figure of each.

    `entrants` are ids of submissions; the lists of a case are in their order. Its figure is the average
    precision over its voxels (None without an abnormal one), or `rank_agreement` of its score. `groups`, by
    grouping and group, are the numbers of the cases that a cell of the heat map is computed from.
    """
    entrants = [one.submission for one in task.entrants]
    return {
        "level": task.level,
        "entrants": entrants,
        "datasets": {part.dataset: _dataset(study, task, part, entrants) for part in task.test if part.cases},
    }


def _dataset(study: Study, task: TaskStudy, part: Part, entrants: Sequence[str]) -> dict[str, Any]:
    plan = plan_of(part, task.slug, study.seed)
    found = [_found(plan, part.predictions.get(one), task.level) for one in entrants]
    return {
        "version": part.version,
        "cases": [_row(case, index, found) for index, case in enumerate(part.cases)],
        "groups": {
            name: {_name(group): [int(index) for index in places] for group, places in strata.items()}
            for name, strata in plan.strata.items()
        },
    }


def _name(group: Hashable) -> str:
    return f"{group.low:g} – {group.high:g}" if isinstance(group, Bin) else str(group)


def _found(plan: Plan, predictions: Predictions | None, level: str) -> dict[str, list[Any]]:
    """One entrant on all cases: `figures`, `scores` of cases, `shares` of positive voxels, `outcomes`."""
    none = [None] * len(plan.ids)
    if predictions is None or lacking(plan, predictions, level) is not None:
        return {"figures": none, "scores": none, "shares": none, "outcomes": none}
    outcomes = [predictions.outcomes[case] for case in plan.ids]
    if level == "case":
        scores = scores_of(plan, predictions)
        figures = rank_agreement(plan.labels.tolist(), scores.tolist())
        return {"figures": figures, "scores": scores.tolist(), "shares": none, "outcomes": outcomes}
    histograms = histograms_of(plan, predictions)
    return {
        "figures": list(per_case_average_precision(histograms).values()),
        "scores": none,
        "shares": [
            one.positive_voxels / (one.positive_voxels + one.negative_voxels) for one in histograms.values()
        ],
        "outcomes": outcomes,
    }


def rank_agreement(labels: Sequence[int], scores: Sequence[float]) -> Values:
    """How far the rank of each score agrees with the case's label, from 0 to 1.

    Of an abnormal case, the share of the normal cases that score below it; of a normal case, the share of
    the abnormal ones that score above it; equal scores count half. So 1 is on the right side of everybody
    of the other label, 0.5 in their middle, and the mean over the abnormal cases is the AUROC, as is that
    over the normal ones. None where there is no case of the other label.
    """
    values = np.array(scores, dtype=np.float64)
    by_label = [np.sort(values[np.array(labels) == label]) for label in (0, 1)]
    agreement: Values = []
    for label, score in zip(labels, values, strict=True):
        others = by_label[1 - label]
        below = (np.searchsorted(others, score) + np.searchsorted(others, score, side="right")) / 2
        right = below if label else len(others) - below
        agreement.append(float(right) / len(others) if len(others) else None)
    return agreement


def _row(case: CaseFacts, index: int, found: Sequence[dict[str, list[Any]]]) -> Row:
    figures = [one["figures"][index] for one in found]
    return {
        "id": case.id,
        "label": case.label,
        "category": case.category if case.label else None,
        "kind": case.kind if case.label else None,
        "difficulty": case.difficulty if case.label else None,
        "size": case.size,
        "contrast": case.contrast,
        "positive_share": next((s for one in found if (s := one["shares"][index]) is not None), None),
        "figures": figures,
        "scores": [one["scores"][index] for one in found],
        "outcomes": [one["outcomes"][index] for one in found],
        "mean": mean_of(figures),
        "spread": spread_of(figures),
    }


def mean_of(figures: Sequence[float | None]) -> float | None:
    """How well a case is done on average; the case with the lowest mean is the hardest. None if undefined."""
    known = [value for value in figures if value is not None]
    return fsum(known) / len(known) if known else None


def spread_of(figures: Sequence[float | None]) -> float | None:
    """The standard deviation of the figures, largest where methods disagree most; None for fewer than two."""
    known = [value for value in figures if value is not None]
    return pstdev(known) if len(known) > 1 else None


def hardest(rows: Sequence[Row], count: int) -> list[Row]:
    """The cases with the lowest mean, the hardest first; equal ones in the order of their ids."""
    ranked = compress(rows, [row["mean"] is not None for row in rows])
    return sorted(ranked, key=lambda row: (row["mean"], row["id"]))[:count]


def disputed(rows: Sequence[Row], count: int) -> list[Row]:
    """The cases with the largest spread above 0, the most disputed first; equal ones by their ids."""
    ranked = compress(rows, [bool(row["spread"]) for row in rows])
    return sorted(ranked, key=lambda row: (-row["spread"], row["id"]))[:count]
