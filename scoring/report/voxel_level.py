"""One score a voxel: everything follows from the histograms of the cases, which add."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce
from math import fsum
from operator import add
from statistics import median
from typing import Any

from scoring.aggregate import batch_average_precisions, mean_over_batches, per_case_average_precision
from scoring.average_precision import UndefinedMetric
from scoring.dice import best_dice, dice_at
from scoring.histograms import VoxelHistogram
from scoring.objects import f1
from scoring.report.digests import SCORED, digest_of
from scoring.report.measures import Measurement, Thresholds, lacking, outcomes_of, rejected
from scoring.report.plan import Plan
from scoring.report.study import Filling, Predictions
from scoring.report.values import Told, computed, told, undefined
from scoring.roc import auroc_of_counts
from scoring.strata import stratified_voxel_average_precision
from scoring.undefined import Figure, figure

FIGURES = (
    "average_precision",
    "average_precision_validation",
    "average_precision_over_dataset",
    "average_precision_per_case_mean",
    "average_precision_per_case_median",
    "auroc",
    "best_dice",
    "dice_at_toy_threshold",
    "object_f1",
)
NO_TOY = Figure(None, "there are no toy results to choose a threshold on")
NO_OBJECTS = Figure(None, "the challenge names no thresholds for objects")

Histograms = dict[str, VoxelHistogram]


def histograms_of(plan: Plan, predictions: Predictions) -> Histograms:
    """The histograms by case, in the plan's order; decoded once where the mapping decodes on access."""
    return {case: predictions.histograms[case] for case in plan.ids}


def measure(
    plan: Plan,
    predictions: Predictions | None,
    policy: str,
    named: Sequence[float] = (),
    thresholds: Thresholds | None = None,
) -> Measurement:
    """All figures of one entrant on one part.

    `named` are the challenge's thresholds for objects, `thresholds` those chosen on the toy cases.
    """
    reason = lacking(plan, predictions, "voxel")
    if predictions is None or reason is not None:
        return nothing(str(reason))
    histograms = histograms_of(plan, predictions)
    digest = digest_of(plan.part, predictions, histograms)
    if (reason := rejected(plan, predictions, policy)) is not None:
        outcomes = outcomes_of(plan, predictions, policy, {})
        return replace(nothing(reason), outcomes=outcomes, digest=digest)
    pooled = reduce(add, histograms.values())
    voxels = tuple((h.positive_voxels, h.positive_voxels + h.negative_voxels) for h in histograms.values())
    batches = _batches(plan, histograms)
    ranking = _mean(batches[0])
    found = {
        name: stratified_voxel_average_precision(plan.labels, list(histograms.values()), strata)
        for name, strata in plan.strata.items()
    }
    figures = {
        **_batched(plan, batches, voxels),
        **_by_case(histograms, voxels),
        **_over_dataset(pooled),
        **_cut(plan, predictions, pooled, thresholds, bool(named)),
    }
    return Measurement(
        ranking=ranking,
        figures=figures,
        outcomes=outcomes_of(plan, predictions, policy, _cost(plan, predictions, histograms, ranking)),
        predictions=predictions,
        batches=tuple(() if isinstance(values, Figure) else tuple(values) for values in batches),
        groups={name: {**groups} for name, groups in found.items()},
        chosen=_chosen(pooled, named),
        voxels=voxels,
        digest=digest,
    )


def nothing(reason: str) -> Measurement:
    """A measurement of which every figure is undefined."""
    none = Figure(None, reason)
    figures = {name: undefined(reason) for name in FIGURES}
    return Measurement(none, figures, {"undefined": reason}, chosen=Thresholds(none, none))


def _batches(plan: Plan, histograms: Histograms) -> list[list[float] | Figure]:
    """By arrangement the batches' average precisions, or why there are none."""
    found: list[list[float] | Figure] = []
    for arrangement in plan.part.arrangements:
        try:
            found.append(batch_average_precisions(histograms, arrangement))
        except UndefinedMetric as error:
            found.append(Figure(None, str(error)))
    return found or [Figure(None, "no batches are laid down for this dataset")]


def _mean(values: list[float] | Figure) -> Figure:
    return values if isinstance(values, Figure) else Figure(fsum(values) / len(values))


def _batched(
    plan: Plan, batches: Sequence[list[float] | Figure], voxels: Sequence[tuple[int, int]]
) -> dict[str, Told]:
    shares = [batch_shares(arrangement, voxels) for arrangement in plan.batches]
    means: list[float | None] = [fsum(share) / len(share) for share in shares]
    validation = (
        told(_mean(batches[1]), positive_share=means[1])
        if len(batches) > 1
        else undefined("there is one arrangement of batches only")
    )
    return {
        "average_precision": told(_mean(batches[0]), positive_share=means[0] if means else None),
        "average_precision_validation": validation,
    }


def batch_shares(arrangement: Sequence[Sequence[int]], voxels: Sequence[tuple[int, int]]) -> list[float]:
    """The share of positive voxels in each batch: what a constant score would reach there."""
    return [
        sum(voxels[case][0] for case in batch) / sum(voxels[case][1] for case in batch)
        for batch in arrangement
    ]


def _by_case(histograms: Histograms, voxels: Sequence[tuple[int, int]]) -> dict[str, Told]:
    defined = [value for value in per_case_average_precision(histograms).values() if value is not None]
    shares = [positive / total for positive, total in voxels if positive]
    share = fsum(shares) / len(shares) if shares else None
    if not defined:
        none = undefined("no case has a positive voxel", cases=0, positive_share=share)
        return {"average_precision_per_case_mean": none, "average_precision_per_case_median": none}
    more: dict[str, Any] = {"cases": len(defined), "positive_share": share}
    return {
        "average_precision_per_case_mean": told(Figure(fsum(defined) / len(defined)), **more),
        "average_precision_per_case_median": told(Figure(median(defined)), **more),
    }


def _over_dataset(pooled: VoxelHistogram) -> dict[str, Told]:
    share = pooled.positive_voxels / (pooled.positive_voxels + pooled.negative_voxels)
    try:
        dice, threshold = best_dice(pooled)
        best = told(Figure(dice), threshold=threshold)
    except UndefinedMetric as error:
        best = undefined(str(error), threshold=None)
    return {
        "average_precision_over_dataset": computed(pooled.average_precision) | {"positive_share": share},
        "auroc": computed(auroc_of_counts, pooled.positives, pooled.negatives),
        "best_dice": best,
    }


def _cut(
    plan: Plan, predictions: Predictions, pooled: VoxelHistogram, thresholds: Thresholds | None, objects: bool
) -> dict[str, Told]:
    """What needs thresholds that were chosen on the toy cases."""
    chosen = thresholds or Thresholds(NO_TOY, NO_TOY)
    dice, cut = chosen.dice, chosen.objects if objects else NO_OBJECTS
    return {
        "dice_at_toy_threshold": undefined(str(dice.undefined), threshold=None)
        if dice.value is None
        else computed(dice_at, pooled, dice.value) | {"threshold": dice.value},
        "object_f1": undefined(str(cut.undefined), threshold=None)
        if cut.value is None
        else _object_f1(plan, predictions, cut.value),
    }


def _object_f1(plan: Plan, predictions: Predictions, threshold: float) -> Told:
    counts = [predictions.objects.get(case, {}).get(threshold) for case in plan.ids]
    uncounted = sum(count is None for count in counts)
    if uncounted:
        reason = f"the objects of {uncounted} of {len(counts)} cases are not counted"
        return undefined(reason, threshold=threshold)
    found, false, overlooked = (sum(column) for column in zip(*filter(None, counts), strict=True))
    more = {"threshold": threshold, "found": found, "false": false, "overlooked": overlooked}
    return computed(f1, found, false, overlooked) | more


def _chosen(pooled: VoxelHistogram, named: Sequence[float]) -> Thresholds:
    """The thresholds of best Dice on these cases; among equals the highest."""
    dice = figure(lambda: best_dice(pooled)[1])
    if not named or dice.value is None:
        return Thresholds(dice, NO_OBJECTS if not named else dice)
    return Thresholds(dice, Figure(max(named, key=lambda threshold: (dice_at(pooled, threshold), threshold))))


def _cost(
    plan: Plan, predictions: Predictions, histograms: Mapping[str, VoxelHistogram], ranking: Figure
) -> dict[str, Told]:
    """Average precision if absent cases counted otherwise, or were left out."""
    absent = [case for case in plan.ids if predictions.outcomes[case] != SCORED]
    if not absent or not plan.part.arrangements:
        return {}
    arrangement = plan.part.arrangements[0]

    def under(policy: Filling) -> Told:
        other = {
            case: VoxelHistogram.absent(
                histograms[case].positive_voxels, histograms[case].negative_voxels, policy
            )
            for case in absent
        }
        return computed(mean_over_batches, {**histograms, **other}, arrangement)

    left = [kept for batch in arrangement if (kept := [case for case in batch if case not in absent])]
    left_out = computed(mean_over_batches, histograms, left) if left else undefined("no case was scored")
    return {"as_ranked": told(ranking), "zero": under("zero"), "worst": under("worst"), "left_out": left_out}
