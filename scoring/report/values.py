"""How a report tells figures: a number, or no number and the reason why."""

from collections.abc import Callable, Sequence
from typing import Any, ParamSpec

from scoring.undefined import Figure, figure

P = ParamSpec("P")
Told = dict[str, Any]
"""`value`, a number or None; `undefined`, None or the reason; what else belongs to the figure."""

NOT_ON_THIS_DATASET = "there are no results on this dataset"


def told(found: Figure, **more: Any) -> Told:
    """A figure as the document has it; `more` stands beside it, like the share of positives."""
    return {"value": found.value, "undefined": found.undefined, **more}


def computed(metric: Callable[P, float], *args: P.args, **kwargs: P.kwargs) -> Told:
    """What `metric` returns, or the reason that its `UndefinedMetric` gives; told."""
    return told(figure(metric, *args, **kwargs))


def undefined(reason: str, **more: Any) -> Told:
    """A figure that has no value, told."""
    return told(Figure(None, reason), **more)


def known(values: Sequence[Told]) -> list[float]:
    """The numbers among figures that were told."""
    return [float(one["value"]) for one in values if one["value"] is not None]
