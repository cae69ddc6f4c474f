"""One score a case: average precision over all cases, AUROC, and the false positives that finding costs."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from scoring.aggregate import absent_case_score
from scoring.average_precision import average_precision
from scoring.report.digests import SCORED, digest_of
from scoring.report.measures import Measurement, lacking, outcomes_of, rejected
from scoring.report.plan import Plan
from scoring.report.study import Filling, Predictions
from scoring.report.values import Told, computed, told, undefined
from scoring.roc import auroc, false_positive_rate
from scoring.strata import stratified_average_precision
from scoring.undefined import Figure, figure

FIGURES = ("average_precision", "auroc", "false_positive_rate_at_95")

Scores = NDArray[np.float64]


def scores_of(plan: Plan, predictions: Predictions) -> Scores:
    """The scores (cases,) in the plan's order."""
    return np.array([predictions.scores[case] for case in plan.ids], dtype=np.float64)


def measure(plan: Plan, predictions: Predictions | None, policy: str) -> Measurement:
    """All figures of one entrant on one part."""
    reason = lacking(plan, predictions, "case")
    if predictions is None or reason is not None:
        return nothing(str(reason))
    if (reason := rejected(plan, predictions, policy)) is not None:
        outcomes = outcomes_of(plan, predictions, policy, {})
        return replace(nothing(reason), outcomes=outcomes, digest=digest_of(plan.part, predictions, {}))
    scores = scores_of(plan, predictions)
    ranking = figure(average_precision, plan.labels, scores)
    groups = {
        name: dict(stratified_average_precision(plan.labels, scores, strata))
        for name, strata in plan.strata.items()
    }
    figures = {
        "average_precision": told(ranking, positive_share=float(plan.labels.mean())),
        "auroc": computed(auroc, plan.labels, scores),
        "false_positive_rate_at_95": computed(false_positive_rate, plan.labels, scores),
    }
    cost = _cost(plan, predictions, scores, ranking)
    return Measurement(
        ranking,
        figures,
        outcomes_of(plan, predictions, policy, cost),
        predictions,
        groups={name: {**found} for name, found in groups.items()},
        digest=digest_of(plan.part, predictions, {}),
    )


def nothing(reason: str) -> Measurement:
    """A measurement of which every figure is undefined."""
    return Measurement(
        Figure(None, reason), {name: undefined(reason) for name in FIGURES}, {"undefined": reason}
    )


def _cost(plan: Plan, predictions: Predictions, scores: Scores, ranking: Figure) -> dict[str, Told]:
    """Average precision if absent cases scored otherwise, or were left out."""
    scored = np.array([predictions.outcomes[case] == SCORED for case in plan.ids])
    if scored.all():
        return {}

    def under(policy: Filling) -> Told:
        absent = [absent_case_score(int(label), policy) for label in plan.labels]
        return computed(average_precision, plan.labels, np.where(scored, scores, absent))

    left_out = computed(average_precision, plan.labels[scored], scores[scored])
    return {"as_ranked": told(ranking), "zero": under("zero"), "worst": under("worst"), "left_out": left_out}
