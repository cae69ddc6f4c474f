"""Which entrant is significantly better than which."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from scoring.report.figures.axes import Rows, label, rows, same_length
from scoring.report.figures.canvas import FAINT, WIDTH, Canvas, nothing
from scoring.report.figures.lettering import SMALL, clean, width_of
from scoring.report.figures.marks import PALETTE

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
    empty cell, that the column's entrant is the better one. Give entrants in the order of the board: a good ranking fills
    the upper right triangle. As in challengeR (Wiesenfarth et al. 2021, "Methods and open-source toolkit for
    analyzing and visualizing challenge results", section "Ranking stability").
    """
    beats = [[bool(cell) for cell in row] for row in significant]
    same_length(
        names=len(names), rows=len(beats), **{f"row {i + 1}": len(row) for i, row in enumerate(beats)}
    )
    if not names:
        return nothing(prefix=prefix, kind="significance", title=title)
    heads = min(HEADS, max(width_of(clean(name), SMALL) for name in names))
    frame = rows(names, top=heads * SLOPE + 22, height=0)
    side = max(15.0, min(34.0, (WIDTH - frame.left - HEADS * SLOPE - 4) / len(names)))
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
    for row in range(len(names)):
        for column in range(len(names)):
            _cell(canvas, frame, row, column, beats)
    _legend(canvas, frame)
    return canvas.svg()


def _cell(canvas: Canvas, frame: Rows, row: int, column: int, beats: Sequence[Sequence[bool]]) -> None:
    side = frame.height
    x, y = frame.left + column * side, frame.top + row * side
    canvas.rect(x, y, side, side, fill="none", stroke="currentColor", stroke_opacity=FAINT, class_="cell")
    if row == column:
        canvas.line(x, y + side, x + side, y, faint=True)
    elif beats[row][column]:
        _square(canvas, x + side / 2, y + side / 2, side - 4)
    elif not beats[column][row]:
        _dot(canvas, x + side / 2, y + side / 2)


def _square(canvas: Canvas, x: float, y: float, side: float) -> None:
    half = side / 2
    canvas.rect(x - half, y - half, side, side, rx=2, fill=PALETTE[0], class_="significant")


def _dot(canvas: Canvas, x: float, y: float) -> None:
    canvas.add("circle", cx=x, cy=y, r=2, fill="currentColor", fill_opacity=0.6, class_="alike")


def _legend(canvas: Canvas, frame: Rows) -> None:
    y = frame.bottom + 20
    _square(canvas, 14, y, 12)
    canvas.note(26, y, "row significantly better than column")
    _dot(canvas, 300, y)
    canvas.note(310, y, "not told apart")


def _told(beats: Sequence[Sequence[bool]], names: Sequence[str]) -> str:
    parts = []
    for name, row in zip(names, beats, strict=True):
        beaten = [names[column] for column, better in enumerate(row) if better]
        parts.append(f"{name} is significantly better than {', '.join(beaten) or 'nobody'}")
    return "; ".join(parts) + "."
