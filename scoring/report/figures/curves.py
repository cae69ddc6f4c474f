"""Values over what makes a case hard, such as an anomaly's size or contrast."""

from collections.abc import Mapping, Sequence
from typing import Literal

from scoring.report.figures.axes import (
    BELOW,
    Scale,
    along,
    checked,
    decades,
    defined,
    same_length,
    ticks,
    upright,
)
from scoring.report.figures.canvas import WIDTH, Canvas, nothing
from scoring.report.figures.legend import Legend
from scoring.report.figures.marks import draw_line

TOP = 30.0
BOTTOM = 310.0
LEFT = 56.0
MOST = 12  # lines that can still be told apart


def curves(
    x: Sequence[float],
    series: Mapping[str, Sequence[float | None]],
    x_label: str,
    y_label: str,
    *,
    prefix: str,
    title: str = "Curves",
    x_scale: Literal["linear", "log"] = "linear",
    y_range: tuple[float, float] | None = None,
    most: int = MOST,
) -> str:
    """A line a series through its values at `x`; None is undefined and interrupts the line.

    For the curves of average precision over the size and the contrast of anomalies (Zimmerer, thesis, figure
    4.4). Only the first `most` series are drawn, and the figure says so. `y_range` fixes the vertical axis,
    such as (0, 1); otherwise it encloses the values. Raises `ValueError` for lengths that differ, for a
    logarithmic `x` not above 0 and for what is not finite.
    """
    names, [across] = list(series)[:most], [defined(row) for row in checked([x])]
    table = checked([series[name] for name in names])
    same_length(x=len(across), **{name: len(row) for name, row in zip(names, table, strict=True)})
    if not names or not across:
        return nothing(prefix=prefix, kind="curves", title=title)
    below = "" if len(names) == len(series) else f"The first {len(names)} of {len(series)}."
    leads = ["" if defined(row) else "undefined" for row in table]
    legend = Legend(names, range(len(names)), leads, below=below)
    canvas = Canvas(
        BOTTOM + BELOW + legend.height + 10,
        prefix=prefix,
        kind="curves",
        title=title,
        desc=_told(names, table, x_label, y_label),
    )
    canvas.text(8, 12, y_label, room=WIDTH - 16)
    flat, upper = _across(across, x_scale), _upward(table, y_range)
    upright(canvas, upper[0], upper[1], LEFT, WIDTH - 16)
    along(canvas, flat[0], flat[1], TOP, BOTTOM, x_label)
    for index, row in enumerate(table):
        spots = [None if y is None else (flat[0](a), upper[0](y)) for a, y in zip(across, row, strict=True)]
        draw_line(canvas, index, spots, "series")
    legend.draw(canvas, BOTTOM + BELOW + 6)
    return canvas.svg()


def _across(x: Sequence[float], kind: str) -> tuple[Scale, list[float]]:
    logarithmic = kind == "log"
    if logarithmic and min(x) <= 0:
        raise ValueError("a logarithmic axis needs values above 0")
    marks = decades(min(x), max(x)) if logarithmic else ticks(min(x), max(x), 8)
    return Scale(marks[0], marks[-1], LEFT + 8, WIDTH - 24, logarithmic), marks


def _upward(
    table: Sequence[Sequence[float | None]], fixed: tuple[float, float] | None
) -> tuple[Scale, list[float]]:
    every = [value for row in table for value in defined(row)] or [0.0, 1.0]
    low, high = (min(every), max(every)) if fixed is None else fixed
    marks = ticks(min(low, *every), max(high, *every))
    return Scale(marks[0], marks[-1], BOTTOM, TOP), marks


def _told(names: Sequence[str], table: Sequence[Sequence[float | None]], x_label: str, y_label: str) -> str:
    parts = []
    for name, row in zip(names, table, strict=True):
        known = defined(row)
        parts.append(f"{name}: " + (f"{known[0]:.3f} to {known[-1]:.3f}" if known else "undefined"))
    return f"{y_label} over {x_label}, from left to right. " + "; ".join(parts) + "."
