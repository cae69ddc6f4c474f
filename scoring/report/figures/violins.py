"""How well the rankings of the bootstraps agree with the one on the board."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import gaussian_kde

from scoring.report.figures.axes import BELOW, Rows, Scale, along, checked, defined, label, rows, ticks
from scoring.report.figures.canvas import WIDTH, Canvas, nothing, number
from scoring.report.figures.marks import colour

POINTS = 64  # at how many values the density is told


def violins(
    taus: Mapping[str, NDArray[np.float64] | Sequence[float | None]],
    *,
    prefix: str,
    title: str = "Agreement of the bootstraps with the board",
    label_x: str = "Kendall's τ",
) -> str:
    """Violin plot: a row a dataset, the shape of Kendall's τ between the board and the bootstraps' rankings.

    The shape is a Gaussian kernel density (Scott's rule) within the values' range; where all values are equal
    it is a bar. A heavy line spans the quartiles, the dot is the median. τ = 1 is the same order, 0 no
    relation, −1 the reverse. A replicate without τ (all tied) is None. As in challengeR (Wiesenfarth et al.
    2021, "Methods and open-source toolkit for analyzing and visualizing challenge results", section "Ranking
    stability").
    """
    names = list(taus)
    table = [defined(row) for row in checked([list(taus[name]) for name in names])]
    if any(abs(value) > 1 + 1e-9 for row in table for value in row):
        raise ValueError("Kendall's τ is a number from -1 to 1")
    if not names:
        return nothing(prefix=prefix, kind="violins", title=title)
    frame = rows(names, top=26, height=56 if len(names) <= 8 else 36)
    canvas = Canvas(
        frame.bottom + BELOW, prefix=prefix, kind="violins", title=title, desc=_told(names, table)
    )
    negative = any(value < 0 for row in table for value in row)
    marks = ticks(-1.0 if negative else 0.0, 1.0)
    scale = Scale(marks[0], marks[-1], frame.left + 6, WIDTH - 66)
    along(canvas, scale, marks, frame.top, frame.bottom, label_x)
    label(canvas, frame, names)
    canvas.note(WIDTH - 4, 12, "median", anchor="end")
    for index, row in enumerate(table):
        _row(canvas, scale, frame, index, row)
    return canvas.svg()


def _row(canvas: Canvas, scale: Scale, frame: Rows, index: int, row: Sequence[float]) -> None:
    y = frame.middle(index)
    if not row:
        canvas.note(scale.start + 4, y, "undefined")
        return
    half = frame.height / 2 - 4
    outline = _outline(row, scale, y, half)
    canvas.add(
        "path",
        d=outline,
        fill=colour(index),
        fill_opacity=0.45,
        stroke=colour(index),
        stroke_width=1.2,
        class_="violin",
    )
    low, middle, high = (float(value) for value in np.quantile(row, [0.25, 0.5, 0.75]))
    canvas.line(scale(low), y, scale(high), y, width=4)
    canvas.add("circle", cx=scale(middle), cy=y, r=5, fill="currentColor", class_="median")
    canvas.text(WIDTH - 4, y, f"{middle:.2f}".replace("-", "−"), anchor="end")


def _outline(row: Sequence[float], scale: Scale, y: float, half: float) -> str:
    low, high = min(row), max(row)
    if high - low < 1e-9:
        x = scale(low)
        return f"M{number(x - 3)},{number(y - half)}h6v{number(2 * half)}h-6Z"
    grid = np.linspace(low, high, POINTS)
    density = gaussian_kde(row)(grid)
    widths = density / density.max() * half
    upper = [f"{number(scale(float(x)))},{number(y - float(w))}" for x, w in zip(grid, widths, strict=True)]
    lower = [f"{number(scale(float(x)))},{number(y + float(w))}" for x, w in zip(grid, widths, strict=True)]
    return "M" + "L".join([*upper, *reversed(lower)]) + "Z"


def _told(names: Sequence[str], table: Sequence[Sequence[float]]) -> str:
    parts = [
        f"{name}: " + (f"median {float(np.median(row)):.2f} of {len(row)}" if row else "undefined")
        for name, row in zip(names, table, strict=True)
    ]
    return "; ".join(parts) + "."
