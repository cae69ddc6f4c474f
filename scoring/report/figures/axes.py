"""Scales, ticks and rows that the figures share."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring.report.figures.canvas import Canvas
from scoring.report.figures.lettering import SIZE, clean, width_of

Values = Sequence[Sequence[float | None]] | NDArray[np.float64]
Interval = Sequence[int] | None  # the first and the last place of an interval, both included
BELOW = 40.0  # what `along` takes below the plot
PLACE = 30.0  # room for a place beside a name


@dataclass(frozen=True)
class Scale:
    """From values between `low` and `high` to positions between `start` and `stop`."""

    low: float
    high: float
    start: float
    stop: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        """The position of `value`. Raises `ValueError` for what a logarithmic scale cannot place."""
        if self.logarithmic and value <= 0:
            raise ValueError(f"a logarithmic scale has no place for {value}")
        turn: Callable[[float], float] = math.log if self.logarithmic else float
        share = (turn(value) - turn(self.low)) / (turn(self.high) - turn(self.low))
        return self.start + share * (self.stop - self.start)


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """About `count` round numbers (1, 2 or 5 times a power of ten apart) that enclose `low` to `high`."""
    if low == high:
        pad = abs(low) * 0.05 or 0.5
        low, high = low - pad, high + pad
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    digits = max(0, -math.floor(math.log10(step)))
    return [round(index * step, digits) for index in range(first, last + 1)]


def decades(low: float, high: float) -> list[float]:
    """Round numbers for a logarithmic axis that enclose `low` to `high`, both above 0."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high) + 1e-12)
    factors = (1, 2, 5) if last - first <= 3 else (1,)
    marks = [factor * 10.0**power for power in range(first, last + 1) for factor in factors]
    below = max(index for index, mark in enumerate(marks) if mark <= low * (1 + 1e-9))
    above = min((i for i, mark in enumerate(marks) if mark >= high * (1 - 1e-9)), default=len(marks) - 1)
    return marks[below : max(above, below + 1) + 1]


def whole_ticks(count: int, room: float, each: float = 24.0) -> list[int]:
    """The places 1 to `count`, thinned to those that fit into `room`; the first and last always."""
    step = next((s for s in (1, 2, 5, 10, 20, 50) if count / s * each <= room), max(count, 1))
    inner = [place for place in range(step, count, step) if place > 1 and (count - place) * 2 > step]
    return sorted({1, *inner, count})


def said(value: float, marks: Sequence[float]) -> str:
    """`value` with as many decimals as all `marks` need, at most five."""
    digits = next((d for d in range(5) if all(abs(round(mark, d) - mark) < 1e-9 for mark in marks)), 5)
    return f"{value:,.{digits}f}".replace("-", "−").replace(",", "\u202f")


def upright(canvas: Canvas, scale: Scale, marks: Sequence[float], left: float, right: float) -> None:
    """The lines of a vertical axis from `left` to `right`, with what they stand for at their left."""
    for mark in marks:
        canvas.line(left, scale(mark), right, scale(mark), faint=True)
        canvas.note(left - 6, scale(mark), _mark(mark, marks, scale), anchor="end")


def along(
    canvas: Canvas, scale: Scale, marks: Sequence[float], top: float, bottom: float, label: str
) -> None:
    """The lines of a horizontal axis from `top` to `bottom`, below them what they stand for and `label`."""
    for mark in marks:
        canvas.line(scale(mark), top, scale(mark), bottom, faint=True)
        canvas.note(scale(mark), bottom + 10, _mark(mark, marks, scale), anchor="middle")
    middle = (scale.start + scale.stop) / 2
    canvas.text(middle, bottom + 28, label, anchor="middle", room=abs(scale.stop - scale.start))


def _mark(mark: float, marks: Sequence[float], scale: Scale) -> str:
    return f"{mark:,.10g}".replace(",", "\u202f") if scale.logarithmic else said(mark, marks)


@dataclass(frozen=True)
class Rows:
    """`count` rows of `height` from `top` on; what is drawn in them begins at `left`."""

    count: int
    left: float
    top: float
    height: float

    @property
    def bottom(self) -> float:
        """Where the last row ends."""
        return self.top + self.count * self.height

    def middle(self, index: int) -> float:
        """The height of the middle of the row at `index`, from 0."""
        return self.top + (index + 0.5) * self.height


def rows(
    names: Sequence[str], *, top: float, height: float, beside: float = 0.0, most: float = 225.0
) -> Rows:
    """Rows with room for `names` (at most `most` wide) at the left, and for something `beside` them."""
    widest = max((width_of(clean(name), SIZE) for name in names), default=0.0)
    return Rows(len(names), 4 + min(widest, most) + 10 + beside, top, height)


def label(
    canvas: Canvas, frame: Rows, names: Sequence[str], places: Sequence[int | None] | None = None
) -> None:
    """`names` at the left of their rows, and between name and plot the `places`, if given."""
    beside = 0.0 if places is None else PLACE
    for index, name in enumerate(names):
        end = frame.left - 10 - beside
        canvas.text(end, frame.middle(index), name, anchor="end", room=end - 4 + 0.01)
        if places is not None:
            place = "–" if places[index] is None else str(places[index])
            canvas.text(frame.left - 12, frame.middle(index), place, anchor="end", font_weight="bold")


def checked(values: Values) -> list[list[float | None]]:
    """`values` as rows of numbers. Raises `ValueError` at NaN or infinity: what is undefined is None."""
    return [[_checked(value) for value in row] for row in values]


def _checked(value: float | None) -> float | None:
    if value is not None and not math.isfinite(value):
        raise ValueError(f"a figure cannot show {value}; say None for what is undefined")
    return None if value is None else float(value)


def defined(row: Sequence[float | None]) -> list[float]:
    """The numbers of `row`, without what is undefined."""
    return [value for value in row if value is not None]


def same_length(**parts: int) -> None:
    """Raises `ValueError` when the parts of a figure do not speak of the same number of things."""
    if len(set(parts.values())) > 1:
        raise ValueError("a figure needs as many of each: " + ", ".join(f"{k} {v}" for k, v in parts.items()))


def within(last: int, intervals: Sequence[Interval]) -> None:
    """Raises `ValueError` unless each interval leads from a place to one no better, of 1 to `last`."""
    for interval in intervals:
        if interval is not None and not (len(interval) == 2 and 1 <= interval[0] <= interval[1] <= last):
            raise ValueError(f"an interval leads from one place to another of 1 to {last}, not {interval}")


def by_place(places: Sequence[int | None]) -> list[int]:
    """The indices of entrants in the order of the board: by place, those without one last.

    Raises `ValueError` when a place is below 1.
    """
    if any(place is not None and place < 1 for place in places):
        raise ValueError("places begin with 1")
    return sorted(range(len(places)), key=lambda index: (places[index] is None, places[index] or 0))
