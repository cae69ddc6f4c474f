"""A figure that may have no value, and then says why: for tables where one gap must not hide the rest."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec

from scoring.average_precision import UndefinedMetric

P = ParamSpec("P")


@dataclass(frozen=True)
class Figure:
    """A metric's value, or `None` and the reason why it is undefined. Never both, never neither."""

    value: float | None
    undefined: str | None = None

    def __post_init__(self) -> None:
        if (self.value is None) != (self.undefined is not None):
            raise ValueError("a figure has either a value or a reason for having none")


def figure(metric: Callable[P, float], *args: P.args, **kwargs: P.kwargs) -> Figure:
    """What `metric` returns, or the reason that its `UndefinedMetric` gives. Every other error passes."""
    try:
        return Figure(metric(*args, **kwargs))
    except UndefinedMetric as error:
        return Figure(None, str(error))
