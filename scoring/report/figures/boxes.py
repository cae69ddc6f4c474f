"""The values that every entrant reached, as dots and as a box."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from scoring.report.figures.axes import (
    BELOW,
    Rows,
    Scale,
    Values,
    along,
    checked,
    defined,
    label,
    rows,
    same_length,
    ticks,
)
from scoring.report.figures.canvas import WIDTH, Canvas, nothing
from scoring.report.figures.marks import colour, dot

STEP = 4.0  # width of a dot, and of the bins that keep dots apart


def dots_and_boxes(
    values: Values,
    names: Sequence[str],
    unit: str,
    *,
    prefix: str,
    title: str = "Values of every entrant",
) -> str:
    """Dot-and-box plot: a row an entrant, a dot a batch or case, over them the box of their distribution.

    The box spans the quartiles (linear interpolation), the heavy line is the median, the whiskers reach the
    furthest value within 1.5 times the box's width (Tukey); dots beyond are outliers. Dots of the same value
    stand above each other. `unit` labels the axis; None is undefined and counted at the right. As in
    challengeR (Wiesenfarth et al. 2021, "Methods and open-source toolkit for analyzing and visualizing
    challenge results", section "Assessment data").
    """
    table = checked(values)
    same_length(values=len(table), names=len(names))
    if not names:
        return nothing(prefix=prefix, kind="boxes", title=title)
    frame = rows(names, top=26, height=36 if len(names) <= 16 else 26)
    lacking = any(None in row for row in table)
    canvas = Canvas(frame.bottom + BELOW, prefix=prefix, kind="boxes", title=title, desc=_told(table, names))
    every = [value for row in table for value in defined(row)]
    marks = ticks(min(every), max(every)) if every else [0.0, 1.0]
    scale = Scale(marks[0], marks[-1], frame.left + 6, WIDTH - (140 if lacking else 66))
    along(canvas, scale, marks, frame.top, frame.bottom, unit)
    label(canvas, frame, names)
    canvas.note(WIDTH - (78 if lacking else 4), 12, "median", anchor="end")
    if lacking:
        canvas.note(WIDTH - 4, 12, "undefined", anchor="end")
    for index, row in enumerate(table):
        _row(canvas, scale, frame, index, row, lacking)
    return canvas.svg()


def _row(
    canvas: Canvas, scale: Scale, frame: Rows, index: int, row: Sequence[float | None], lacking: bool
) -> None:
    known, y = defined(row), frame.middle(index)
    if lacking:
        canvas.text(WIDTH - 4, y, str(len(row) - len(known)), anchor="end")
    if not known:
        canvas.note(scale.start, y, "undefined")
        return
    drawn = "".join(
        dot(x, y + up) for x, up in _spread([scale(value) for value in known], frame.height / 2 - 4)
    )
    canvas.add(
        "path",
        d=drawn,
        stroke=colour(index),
        stroke_opacity=0.8,
        stroke_width=STEP,
        stroke_linecap="round",
        fill="none",
        class_="dots",
    )
    _box(canvas, scale, y, min(9.0, frame.height / 4), known)
    median = float(np.median(known))
    canvas.text(WIDTH - (78 if lacking else 4), y, f"{median:.3f}".replace("-", "−"), anchor="end")


def _spread(positions: Sequence[float], room: float) -> list[tuple[float, float]]:
    """Where the dots at `positions` stand: those of one bin above and below each other, within ±`room`."""
    bins: dict[int, list[float]] = defaultdict(list)
    for position in sorted(positions):
        bins[int(position // STEP)].append(position)
    placed = []
    for members in bins.values():
        gap = min(STEP, 2 * room / max(len(members), 1))
        for rank, position in enumerate(members):
            side = 1 if rank % 2 else -1
            placed.append((position, side * ((rank + 1) // 2) * gap))
    return placed


def _box(canvas: Canvas, scale: Scale, y: float, half: float, known: Sequence[float]) -> None:
    low, middle, high = (float(value) for value in np.quantile(known, [0.25, 0.5, 0.75]))
    reach = 1.5 * (high - low)
    first = scale(min((value for value in known if value >= low - reach), default=low))
    last = scale(max((value for value in known if value <= high + reach), default=high))
    left, right = scale(low), scale(high)
    canvas.add(
        "rect",
        x=left,
        y=y - half,
        width=right - left,
        height=2 * half,
        fill="currentColor",
        fill_opacity=0.12,
        stroke="currentColor",
        stroke_width=1.2,
        class_="box",
    )
    canvas.line(first, y, left, y, width=1.2)
    canvas.line(right, y, last, y, width=1.2)
    canvas.line(scale(middle), y - half, scale(middle), y + half, width=3)


def _told(table: Sequence[Sequence[float | None]], names: Sequence[str]) -> str:
    parts = []
    for name, row in zip(names, table, strict=True):
        known = defined(row)
        middle = f"median {float(np.median(known)):.3f} of {len(known)}" if known else "undefined"
        parts.append(f"{name}: {middle}")
    return "; ".join(parts) + "."
