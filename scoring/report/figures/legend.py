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
    """`names` row by row in columns of equal width, each with the mark of its index and its lead.

    `lines`: marks are connected in the plot by a line of their own. `below` stands under all.
    """

    names: Sequence[str]
    indices: Sequence[int]
    leads: Sequence[str]
    lines: bool = True
    below: str = ""

    @property
    def columns(self) -> int:
        """How many columns fit."""
        widths = [
            min(width_of(clean(name), SMALL), 200.0) + _wide(lead)
            for name, lead in zip(self.names, self.leads, strict=True)
        ]
        return max(1, min(4, int((WIDTH - 16) / (max(widths) + SAMPLE + 18))))

    @property
    def height(self) -> float:
        """What the legend takes below its top."""
        return (math.ceil(len(self.names) / self.columns) + bool(self.below)) * LINE + 6

    def draw(self, canvas: Canvas, top: float) -> None:
        """Draws the legend from `top` on, row by row."""
        each = (WIDTH - 16) / self.columns
        for position in range(len(self.names)):
            row, column = divmod(position, self.columns)
            self._entry(canvas, 8 + column * each, top + (row + 0.5) * LINE, each, position)
        if self.below:
            canvas.note(8, top + self.height - 6 - LINE / 2, self.below, room=WIDTH - 16)

    def _entry(self, canvas: Canvas, x: float, y: float, room: float, position: int) -> None:
        index, lead = self.indices[position], self.leads[position]
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
        if lead:
            canvas.text(x + start, y, lead, size=SMALL, font_weight="bold")
        start += _wide(lead)
        canvas.note(x + start, y, self.names[position], room=room - start - 12)


def _wide(lead: str) -> float:
    return 1.1 * width_of(lead, SMALL) + 6 if lead else 0.0
