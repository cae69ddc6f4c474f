"""The places on the board with the intervals in which the bootstraps put them."""

from collections.abc import Sequence

from scoring.report.figures.axes import (
    BELOW,
    PLACE,
    Interval,
    Scale,
    along,
    by_place,
    label,
    rows,
    same_length,
    whole_ticks,
    within,
)
from scoring.report.figures.canvas import WIDTH, Canvas, nothing, number
from scoring.report.figures.marks import colour, shape


def places_with_intervals(
    names: Sequence[str],
    places: Sequence[int],
    intervals: Sequence[Interval],
    *,
    prefix: str,
    title: str = "Places with their intervals",
) -> str:
    """A row an entrant in the order of the board: its place as a marker, its interval as a line.

    The interval spans the places from `intervals`: the first and the last that the bulk of bootstraps give,
    both included; None is undefined. Intervals that overlap say that the order of two entrants may be chance.
    After the rank intervals of challengeR (Wiesenfarth et al. 2021, "Methods and open-source toolkit for
    analyzing and visualizing challenge results", section "Ranking stability").
    """
    same_length(names=len(names), places=len(places), intervals=len(intervals))
    if not names:
        return nothing(prefix=prefix, kind="intervals", title=title)
    last = max(len(names), *places)
    within(last, intervals)
    frame = rows(names, top=8, height=26 if len(names) <= 20 else 20, beside=PLACE)
    canvas = Canvas(
        frame.bottom + BELOW,
        prefix=prefix,
        kind="intervals",
        title=title,
        desc=_told(names, places, intervals),
    )
    order = by_place(places)
    scale = Scale(0.5, last + 0.5, frame.left, WIDTH - 16)
    along(canvas, scale, whole_ticks(last, scale.stop - scale.start), frame.top, frame.bottom, "Place")
    label(canvas, frame, [names[i] for i in order], [places[i] for i in order])
    for row, index in enumerate(order):
        _row(canvas, scale, frame.middle(row), index, places[index], intervals[index])
    return canvas.svg()


def _row(canvas: Canvas, scale: Scale, y: float, index: int, place: int, interval: Interval) -> None:
    if interval is None:
        way = 1 if scale(place) < (scale.start + scale.stop) / 2 else -1
        canvas.note(scale(place) + way * 12, y, "undefined", anchor="start" if way > 0 else "end")
    else:
        first, last = scale(interval[0]), scale(interval[1])
        left, right, up, middle = (number(value) for value in (first, last, y - 5, y))
        drawn = f"M{left},{up}v10M{left},{middle}H{right}M{right},{up}v10"
        canvas.add("path", d=drawn, stroke="currentColor", stroke_width=1.5, fill="none", class_="interval")
    canvas.add("path", d=shape(index, scale(place), y, 5), fill=colour(index), class_="place")


def _told(names: Sequence[str], places: Sequence[int], intervals: Sequence[Interval]) -> str:
    parts = [
        f"{names[i]}: place {places[i]}, "
        + ("interval undefined" if (span := intervals[i]) is None else f"interval {span[0]} to {span[1]}")
        for i in by_place(places)
    ]
    return "; ".join(parts) + "."
