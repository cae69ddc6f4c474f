"""How often the bootstraps put each entrant in each place."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from scoring.report.figures.axes import (
    BELOW,
    PLACE,
    Interval,
    Rows,
    Scale,
    along,
    by_place,
    checked,
    label,
    rows,
    same_length,
    whole_ticks,
    within,
)
from scoring.report.figures.canvas import WIDTH, Canvas, nothing, number
from scoring.report.figures.marks import colour

CROWDED = 8.0  # radius for certainty, where columns are too narrow for it: such blobs overlap a little


def blobs(
    shares: NDArray[np.float64] | Sequence[Sequence[float]],
    names: Sequence[str],
    places: Sequence[int],
    intervals: Sequence[Interval] | None = None,
    *,
    prefix: str,
    title: str = "Places in the bootstraps",
) -> str:
    """Blob plot: the area of a circle is the share of bootstraps that put the row's entrant there.

    `shares[i][j]` is entrant i's share of place j + 1, in [0, 1]. A cross marks the median place over the
    bootstraps and a line the interval; the number beside a name is the place on the board. As in challengeR
    (Wiesenfarth et al. 2021, "Methods and open-source toolkit for analyzing and visualizing challenge
    results", section "Ranking stability"), but with entrants in rows, where long names can be read.
    Raises `ValueError` for shares outside [0, 1] and for lengths that differ.
    """
    table = [[share or 0.0 for share in row] for row in checked(shares)]
    spans: list[Interval] = [None] * len(names) if intervals is None else list(intervals)
    same_length(names=len(names), places=len(places), shares=len(table), intervals=len(spans))
    if any(not 0 <= share <= 1 + 1e-9 for row in table for share in row):
        raise ValueError("a share is a number from 0 to 1")
    if not names:
        return nothing(prefix=prefix, kind="blobs", title=title)
    columns = max(len(row) for row in table)
    within(columns, spans)
    frame, scale = _frame(names, columns)
    canvas = Canvas(
        frame.bottom + BELOW, prefix=prefix, kind="blobs", title=title, desc=_told(table, names, places)
    )
    room = scale.stop - scale.start
    along(canvas, scale, whole_ticks(columns, room), frame.top, frame.bottom, "Place in a bootstrap")
    order = by_place(places)
    label(canvas, frame, [names[i] for i in order], [places[i] for i in order])
    cell = room / max(columns, 1)
    largest = min(frame.height / 2 - 1, max(cell / 2 - 1, CROWDED))
    for row, index in enumerate(order):
        _row(canvas, scale, frame.middle(row), index, table[index], spans[index], largest)
    return canvas.svg()


def _frame(names: Sequence[str], columns: int) -> tuple[Rows, Scale]:
    cell = (WIDTH - 250) / max(columns, 1)
    frame = rows(names, top=8, height=max(20.0, min(44.0, cell)), beside=PLACE)
    return frame, Scale(0.5, columns + 0.5, frame.left, WIDTH - 16)


def _row(
    canvas: Canvas,
    scale: Scale,
    y: float,
    index: int,
    shares: Sequence[float],
    span: Interval,
    largest: float,
) -> None:
    if span is not None:
        canvas.line(scale(span[0]), y, scale(span[1]), y, width=1.5)
    for place, share in enumerate(shares, start=1):
        if share > 0:
            told = f"place {place}: {share:.1%}"
            radius = max(share**0.5 * largest, 0.5)
            at = scale(place)
            canvas.add("circle", None, told, cx=at, cy=y, r=radius, fill=colour(index), class_="blob")
    middle = median_place(shares)
    if middle is None:
        canvas.note(scale.start + 6, y, "undefined")
    else:
        x = scale(middle)
        half, side = number(largest / 4 + 0.5), number(largest / 2 + 1)
        drawn = f"M{number(x)},{number(y)}m-{half},-{half}l{side},{side}m0,-{side}l-{side},{side}"
        canvas.add("path", d=drawn, stroke="currentColor", stroke_width=1.6, fill="none", class_="median")


def median_place(shares: Sequence[float]) -> int | None:
    """The first place by which half of the bootstraps are counted; None when no place has a share."""
    total = np.cumsum(shares)
    return int(np.searchsorted(total, total[-1] / 2 - 1e-9)) + 1 if len(total) and total[-1] > 0 else None


def _told(table: Sequence[Sequence[float]], names: Sequence[str], places: Sequence[int]) -> str:
    parts = []
    for index in by_place(places):
        middle = median_place(table[index])
        median = "undefined" if middle is None else f"{middle} in the median bootstrap"
        parts.append(f"{names[index]}: place {places[index]}, {median}")
    return "; ".join(parts) + "."
