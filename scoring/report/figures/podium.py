"""Who reaches which place how often over batches or cases, and with which values."""

from collections.abc import Sequence

from scoring.report.figures.axes import (
    Scale,
    Values,
    by_place,
    checked,
    defined,
    same_length,
    ticks,
    upright,
)
from scoring.report.figures.canvas import WIDTH, Canvas, nothing, number
from scoring.report.figures.legend import Legend
from scoring.report.figures.marks import colour, shape

TOP, BOTTOM = 30.0, 320.0  # the dots
BARS = 60.0  # the height of a bar that says always
LEFT, RIGHT = 56.0, WIDTH - 8
MOST = 8  # entrants whose columns can still be told apart


def podium(
    values: Values,
    names: Sequence[str],
    places: Sequence[int],
    unit: str = "Average precision",
    *,
    prefix: str,
    title: str = "Podium",
    most: int = MOST,
) -> str:
    """Podium plot: above every place stand the values of those who reach it, below how often each one does.

    `values[i]` are entrant i's values, one a batch or case, the same for all. Within each, entrants are
    ranked (higher is better, equal values share the best place); a line connects the marks of one batch or
    case. Every place has a column for each entrant, in the order of the board. The bars are the share of
    batches or cases in which the entrant reaches the place. Only the first `most` entrants are shown, ranked
    among themselves. None is undefined: no mark and no place. As in challengeR (Wiesenfarth et al. 2021,
    "Methods and open-source toolkit for analyzing and visualizing challenge results", section "Assessment
    data"), after Eugster, Hothorn and Leisch 2008.
    """
    table = checked(values)
    same_length(values=len(table), names=len(names), places=len(places))
    same_length(**{f"values of entrant {i + 1}": len(row) for i, row in enumerate(table)})
    shown = by_place(places)[:most]
    if not shown:
        return nothing(prefix=prefix, kind="podium", title=title)
    chosen = [table[index] for index in shown]
    reached = _reached(chosen)
    legend = Legend(
        [names[index] for index in shown],
        shown,
        [str(places[index]) for index in shown],
        lines=False,
        below="" if len(shown) == len(names) else f"The first {len(shown)} of {len(names)} entrants.",
    )
    height = BOTTOM + 34 + BARS + 24 + legend.height
    desc = _told(reached, [names[index] for index in shown], len(names))
    canvas = Canvas(height, prefix=prefix, kind="podium", title=title, desc=desc)
    every = [value for row in chosen for value in defined(row)]
    marks = ticks(min(every), max(every)) if every else [0.0, 1.0]
    scale = Scale(marks[0], marks[-1], BOTTOM, TOP)
    canvas.text(8, 12, unit, room=WIDTH - 16)
    upright(canvas, scale, marks, LEFT, RIGHT)
    _columns(canvas, len(shown))
    _lines(canvas, scale, chosen, reached)
    for column, index in enumerate(shown):
        _marks(canvas, scale, index, column, chosen[column], reached[column], len(shown))
        _bars(canvas, index, column, reached[column], len(shown))
    legend.draw(canvas, BOTTOM + 34 + BARS + 18)
    return canvas.svg()


Reached = Sequence[Sequence[int | None]]


def _reached(table: Sequence[Sequence[float | None]]) -> list[list[int | None]]:
    """The place of each entrant in each batch or case."""
    columns = list(zip(*table, strict=True))
    return [
        [
            None if value is None else 1 + sum(other > value for other in defined(column))
            for value, column in zip(row, columns, strict=True)
        ]
        for row in table
    ]


def _x(place: int, column: int, count: int) -> float:
    """The middle of an entrant's own column above a place."""
    wide = (RIGHT - LEFT) / count
    return LEFT + (place - 1) * wide + 6 + (column + 0.5) * (wide - 12) / count


def _columns(canvas: Canvas, count: int) -> None:
    wide, low = (RIGHT - LEFT) / count, BOTTOM + 34 + BARS
    for place in range(1, count + 1):
        left = LEFT + (place - 1) * wide
        if place > 1:
            canvas.line(left, TOP, left, low, faint=True)
        canvas.text(left + wide / 2, BOTTOM + 16, str(place), anchor="middle", font_weight="bold")
    canvas.note(LEFT - 6, BOTTOM + 16, "place", anchor="end")
    for share in (0.0, 0.5, 1.0):
        canvas.line(LEFT, low - share * BARS, RIGHT, low - share * BARS, faint=True)
        canvas.note(LEFT - 6, low - share * BARS, f"{share:.0%}", anchor="end")


def _lines(canvas: Canvas, scale: Scale, table: Sequence[Sequence[float | None]], reached: Reached) -> None:
    count = len(table)
    opacity = max(0.06, min(0.35, 5 / max(len(table[0]), 1)))
    for case in range(len(table[0])):
        spots = sorted(
            (_x(place, column, count), scale(value))
            for column in range(count)
            if (value := table[column][case]) is not None and (place := reached[column][case]) is not None
        )
        if len(spots) > 1:
            points = " ".join(f"{number(x)},{number(y)}" for x, y in spots)
            canvas.add("polyline", points=points, fill="none", stroke="currentColor", stroke_opacity=opacity)


def _marks(
    canvas: Canvas,
    scale: Scale,
    index: int,
    column: int,
    row: Sequence[float | None],
    reached: Sequence[int | None],
    count: int,
) -> None:
    radius = 3.2 if len(row) <= 60 else 2.2
    drawn = "".join(
        shape(index, _x(place, column, count), scale(value), radius)
        for value, place in zip(row, reached, strict=True)
        if value is not None and place is not None
    )
    if drawn:
        canvas.add("path", d=drawn, fill=colour(index), fill_opacity=0.85, class_="values")


def _bars(canvas: Canvas, index: int, column: int, reached: Sequence[int | None], count: int) -> None:
    low, wide = BOTTOM + 34 + BARS, (RIGHT - LEFT) / count
    for place in range(1, count + 1):
        share = list(reached).count(place) / max(len(reached), 1)
        if share > 0:
            x, side = _x(place, column, count), min((wide - 12) / count * 0.8, 40.0)
            told = f"place {place}: {share:.1%}"
            high = share * BARS
            canvas.rect(x - side / 2, low - high, side, high, told=told, fill=colour(index), class_="share")


def _told(reached: Reached, names: Sequence[str], of: int) -> str:
    parts = [
        f"{name}: first in {list(row).count(1)} of {len(row)}"
        for name, row in zip(names, reached, strict=True)
    ]
    return f"The first {len(names)} of {of} entrants. " + "; ".join(parts) + "."
