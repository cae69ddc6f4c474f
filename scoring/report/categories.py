"""How figures depend on what the anomaly is: its kind, how hard people find it, its size and contrast.

Everywhere as many normal as abnormal cases stand beside each other, the same ones for every entrant, for
average precision rises with the share of positives (Zimmerer, thesis, section 4.1.4, Figs. 4.4 to 4.8).
"""

from collections.abc import Hashable, Sequence
from statistics import median
from typing import Any

from scoring.report.measures import Measurement
from scoring.report.plan import CURVES, Plan
from scoring.report.values import Told, known, told
from scoring.strata import Bin, CaseFigures, VoxelFigures

NOT_KNOWN = {
    "category": "no category is known of any abnormal case",
    "kind": "no kind is known of any abnormal case",
    "difficulty": "nobody has judged how difficult the cases are",
    "size": "no size is known of any abnormal case",
    "contrast": "no contrast is known of any abnormal case",
}


def groups_told(
    plan: Plan, column: Sequence[Measurement], names: Sequence[str] = tuple(NOT_KNOWN)
) -> dict[str, Any]:
    """Everybody's figures in each group of the groupings `names` of one dataset, in the order of `column`."""
    return {name: _grouping(plan, column, name, NOT_KNOWN[name]) for name in names}


def _grouping(plan: Plan, column: Sequence[Measurement], name: str, why: str) -> dict[str, Any]:
    if name not in plan.strata:
        return {"undefined": plan.unstratified or why, "groups": []}
    return {"undefined": None, "groups": [_group(plan, column, name, group) for group in plan.strata[name]]}


def _group(plan: Plan, column: Sequence[Measurement], grouping: str, group: Hashable) -> dict[str, Any]:
    found = [one.groups.get(grouping, {}).get(group) for one in column]
    places = plan.strata[grouping][group]
    abnormal = int(plan.labels[places].sum())
    named: dict[str, Any] = (
        {"low": group.low, "high": group.high, "middle": group.middle}
        if isinstance(group, Bin)
        else {"name": str(group)}
    )
    return {
        **named,
        "abnormal": abnormal,
        "normal": len(places) - abnormal,
        **{name: _figure(column, found, name) for name in _names(found)},
        **_shares(found),
    }


def _names(found: Sequence[CaseFigures | VoxelFigures | None]) -> tuple[str, ...]:
    if any(isinstance(one, VoxelFigures) for one in found):
        return ("average_precision", "mean_over_cases")
    if any(isinstance(one, CaseFigures) for one in found):
        return ("average_precision", "auroc", "false_positive_rate")
    return ("average_precision",)


def _figure(
    column: Sequence[Measurement], found: Sequence[CaseFigures | VoxelFigures | None], name: str
) -> dict[str, Any]:
    values: list[Told] = [
        told(one.ranking) if group is None else told(getattr(group, name))
        for one, group in zip(column, found, strict=True)
    ]
    numbers = known(values)
    best = min if name == "false_positive_rate" else max
    return {
        "entrants": values,
        "median": median(numbers) if numbers else None,
        "best": best(numbers) if numbers else None,
    }


def _shares(found: Sequence[CaseFigures | VoxelFigures | None]) -> dict[str, Any]:
    share = next((one.positive_share for one in found if isinstance(one, VoxelFigures)), None)
    return {} if share is None else {"positive_share": share}


def is_curve(grouping: str) -> bool:
    """Whether the groups are bins of a number."""
    return grouping in CURVES
