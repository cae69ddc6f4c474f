"""Which entrant is significantly better than which."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from scoring.report.figures.axes import Rows, label, rows, same_length
from scoring.report.figures.canvas import WIDTH, Canvas, nothing, number
from scoring.report.figures.lettering import SMALL, clean, width_of
from scoring.report.figures.marks import PALETTE, dot

HEADS = 110.0  # the most room for a name above a column, along its slope
SLOPE = 0.7071  # of names turned by 45°


def significance_map(
    significant: NDArray[np.bool_] | Sequence[Sequence[bool]],
    names: Sequence[str],
    *,
    prefix: str,
    title: str = "Significant differences",
) -> str:
    """Significance map: a filled square where the row's entrant is significantly better than the column's.

    `significant[a][b]` says that a beats b after correction. A dot marks two that no test tells apart; an
    empty cell, that the column's entrant is the better one. Give entrants in the order of the board: a clear
    ranking fills the upper right triangle. As in challengeR (Wiesenfarth et al. 2021, "Methods and
    open-source toolkit for analyzing and visualizing challenge results", section "Ranking stability").
    """
    beats = [[bool(cell) for cell in row] for row in significant]
    same_length(
        names=len(names), rows=len(beats), **{f"row {i + 1}": len(row) for i, row in enumerate(beats)}
    )
    if not names:
        return nothing(prefix=prefix, kind="significance", title=title)
    heads = min(HEADS, max(width_of(clean(name), SMALL) for name in names))
    frame = rows(names, top=heads * SLOPE + 22, height=0)
    side = max(17.0, min(40.0, (WIDTH - frame.left - HEADS * SLOPE - 4) / len(names)))
    frame = Rows(len(names), frame.left, frame.top, side)
    right = frame.left + side * len(names)
    canvas = Canvas(
        frame.bottom + 34,
        prefix=prefix,
        kind="significance",
        title=title,
        desc=_told(beats, names),
        width=max(WIDTH, right + heads * SLOPE + 8),
    )
    label(canvas, frame, names)
    for column, name in enumerate(names):
        x, y = frame.left + (column + 0.5) * side, frame.top - 8
        canvas.text(x, y, name, size=SMALL, room=heads + 0.01, turned=-45)
    _grid(canvas, frame)
    _squares(canvas, [_middle(frame, a, b) for a, b in _pairs(beats) if beats[a][b]], side - 4)
    _dots(canvas, [_middle(frame, a, b) for a, b in _pairs(beats) if not (beats[a][b] or beats[b][a])])
    _legend(canvas, frame)
    return canvas.svg()


Points = Sequence[tuple[float, float]]


def _pairs(table: Sequence[Sequence[bool]]) -> list[tuple[int, int]]:
    return [(a, b) for a in range(len(table)) for b in range(len(table)) if a != b]


def _middle(frame: Rows, row: int, column: int) -> tuple[float, float]:
    return frame.left + (column + 0.5) * frame.height, frame.middle(row)


def _grid(canvas: Canvas, frame: Rows) -> None:
    left, top, side, whole = frame.left, frame.top, frame.height, frame.count * frame.height
    for index in range(frame.count + 1):
        canvas.line(left, top + index * side, left + whole, top + index * side, faint=True)
        canvas.line(left + index * side, top, left + index * side, top + whole, faint=True)
    canvas.line(left, top, left + whole, top + whole, faint=True)


def _squares(canvas: Canvas, middles: Points, side: float) -> None:
    if middles:
        s, h = number(side), number(side / 2)
        drawn = "".join(f"M{number(x)},{number(y)}m-{h},-{h}h{s}v{s}h-{s}z" for x, y in middles)
        canvas.add("path", d=drawn, fill=PALETTE[0], class_="significant")


def _dots(canvas: Canvas, middles: Points) -> None:
    if middles:
        drawn = "".join(dot(x, y) for x, y in middles)
        canvas.add(
            "path",
            d=drawn,
            stroke="currentColor",
            stroke_opacity=0.7,
            stroke_width=4,
            stroke_linecap="round",
            fill="none",
            class_="alike",
        )


def _legend(canvas: Canvas, frame: Rows) -> None:
    y = frame.bottom + 20
    _squares(canvas, [(14, y)], 12)
    canvas.note(26, y, "row significantly better than column")
    _dots(canvas, [(300, y)])
    canvas.note(310, y, "not told apart")


def _told(beats: Sequence[Sequence[bool]], names: Sequence[str]) -> str:
    parts = []
    for name, row in zip(names, beats, strict=True):
        beaten = [names[column] for column, better in enumerate(row) if better]
        parts.append(f"{name} is significantly better than {', '.join(beaten) or 'nobody'}")
    return "; ".join(parts) + "."
