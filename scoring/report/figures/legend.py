"""Which mark is whose, below a plot."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scoring.report.figures.canvas import WIDTH, Canvas
from scoring.report.figures.lettering import SMALL, clean, width_of
from scoring.report.figures.marks import colour, dash, shape

LINE = 18.0
SAMPLE = 34.0  # width of the sample of a line


@dataclass(frozen=True)
class Legend:
    """`names` row by row in columns of equal width, each with the mark of its index.

    `lines`: marks are connected in the plot by a line of their own.
    """

    names: Sequence[str]
    indices: Sequence[int]
    lines: bool = True

    @property
    def columns(self) -> int:
        """How many columns fit."""
        widest = min(230.0, max(width_of(clean(name), SMALL) for name in self.names))
        return max(1, min(4, int((WIDTH - 16) / (widest + SAMPLE + 18))))

    @property
    def height(self) -> float:
        """What the legend takes below its top."""
        return math.ceil(len(self.names) / self.columns) * LINE + 6

    def draw(self, canvas: Canvas, top: float) -> None:
        """Draws the legend from `top` on, row by row."""
        each = (WIDTH - 16) / self.columns
        for position, (name, index) in enumerate(zip(self.names, self.indices, strict=True)):
            row, column = divmod(position, self.columns)
            self._entry(canvas, 8 + column * each, top + (row + 0.5) * LINE, each, name, index)

    def _entry(self, canvas: Canvas, x: float, y: float, room: float, name: str, index: int) -> None:
        if self.lines:
            canvas.add(
                "line",
                x1=x,
                y1=y,
                x2=x + SAMPLE - 6,
                y2=y,
                stroke=colour(index),
                stroke_width=2,
                stroke_dasharray=dash(index),
            )
        start = SAMPLE if self.lines else 14.0
        canvas.add("path", d=shape(index, x + (start - 6) / 2, y), fill=colour(index))
        canvas.note(x + start, y, name, room=room - start - 12)
