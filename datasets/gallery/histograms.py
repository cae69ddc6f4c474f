"""How a property is spread over the people of a set, as a small figure."""

from datasets.statistics import ALL, Measured, title
from scoring.report.figures.axes import BELOW, Scale, along, said, ticks
from scoring.report.figures.canvas import Canvas

WIDTH = 320.0
TOP, BOTTOM = 24.0, 120.0
SIDE = 24.0


def histogram(measured: Measured, prefix: str) -> str:
    """Bars of everybody as SVG; `prefix` begins its ids."""
    everybody = measured.groups[ALL]
    name = title(measured.property)
    desc = (
        f"{everybody.count} people, from {everybody.minimum:.3g} to {everybody.maximum:.3g}, "
        f"mean {everybody.mean:.3g}, standard deviation {everybody.sd:.3g}"
    )
    canvas = Canvas(BOTTOM + BELOW, prefix=prefix, kind="histogram", title=name, desc=desc, width=WIDTH)
    marks = ticks(measured.edges[0], measured.edges[-1], 4)
    scale = Scale(marks[0], marks[-1], SIDE, WIDTH - SIDE)
    along(canvas, scale, marks, TOP, BOTTOM, f"{name}, {measured.unit}" if measured.unit else name)
    _bars(canvas, measured, scale, marks)
    canvas.line(scale(everybody.mean), TOP - 6, scale(everybody.mean), BOTTOM, width=1.5)
    return canvas.svg()


def _bars(canvas: Canvas, measured: Measured, scale: Scale, marks: list[float]) -> None:
    upward = Scale(0, max(measured.counts), 0, BOTTOM - TOP)
    for count, low, high in zip(measured.counts, measured.edges, measured.edges[1:], strict=False):
        left, right, tall = scale(low), scale(high), upward(count)
        told = f"{count} from {said(low, [low])} to {said(high, [high])}"
        if count:
            canvas.rect(
                left, BOTTOM - tall, max(right - left - 1, 1), tall, told=told, fill="currentColor",
                fill_opacity=0.45,
            )  # fmt: skip
