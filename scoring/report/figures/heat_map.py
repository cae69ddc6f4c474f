"""Values by two groupings, such as anomaly category and method."""

from collections.abc import Sequence
from xml.etree import ElementTree

from scoring.report.figures.axes import Rows, Values, checked, defined, label, rows, said, same_length, ticks
from scoring.report.figures.canvas import FAINT, WIDTH, Canvas, nothing
from scoring.report.figures.lettering import SMALL, clean, width_of
from scoring.report.figures.marks import PALETTE

HEADS = 120.0
FITTING = 8  # columns that fit the width
SLOPE = 0.7071
LIGHTEST, DARKEST = 0.04, 0.6  # opacities between which text in the text colour stays legible


def heat_map(
    rows_: Sequence[str],
    columns: Sequence[str],
    values: Values,
    *,
    prefix: str,
    title: str = "Values by category and entrant",
    unit: str = "",
    value_range: tuple[float, float] | None = None,
    links: Sequence[Sequence[str]] | None = None,
) -> str:
    """A cell a row and column with its value in figures; the higher the value, the stronger the ground.

    When there are more columns than fit, and fewer rows, the two change sides. None is undefined: a dash in a
    dashed frame. `value_range` fixes the ends of the shading, such as (0, 1); otherwise they enclose the
    values. `links` are addresses to which the cells lead. Raises `ValueError` for lengths that differ and for
    what is not finite.
    """
    table = checked(values)
    same_length(rows=len(rows_), values=len(table))
    same_length(columns=len(columns), **{f"row {i + 1}": len(row) for i, row in enumerate(table)})
    if not rows_ or not columns:
        return nothing(prefix=prefix, kind="heat-map", title=title)
    if value_range is not None and not value_range[0] < value_range[1]:
        raise ValueError(f"the shading needs two ends, the lower one first, not {value_range}")
    if len(columns) > max(FITTING, len(rows_)):
        rows_, columns, table = columns, rows_, [list(line) for line in zip(*table, strict=True)]
        links = None if links is None else list(zip(*links, strict=True))
    heads = min(HEADS, max(width_of(clean(name), SMALL) for name in columns))
    frame = rows(rows_, top=heads * SLOPE + 22, height=28)
    side = max(40.0, min(90.0, (WIDTH - frame.left - heads * SLOPE + 16) / len(columns)))
    right = frame.left + side * len(columns) + max(0.0, heads * SLOPE - side / 2) + 10
    canvas = Canvas(
        frame.bottom + 44,
        prefix=prefix,
        kind="heat-map",
        title=title,
        desc=_told(rows_, columns, table),
        width=max(WIDTH, right),
    )
    if links is not None:
        canvas.root.set("role", "group")  # an image would hide its links
    label(canvas, frame, rows_)
    for column, name in enumerate(columns):
        x, y = frame.left + (column + 0.5) * side, frame.top - 8
        canvas.text(x, y, name, size=SMALL, room=heads + 0.01, turned=-45)
    ends = _ends(table, value_range)
    for row, line in enumerate(table):
        for column, value in enumerate(line):
            within = None
            if links is not None:
                said_ = f"{rows_[row]}, {columns[column]}: {_shown(value)}"
                within = canvas.add("a", href=links[row][column], aria_label=said_)
            _cell(canvas, frame, row, frame.left + column * side, side, value, ends, within)
    _legend(canvas, frame, ends, unit, any(None in line for line in table))
    return canvas.svg()


def _ends(table: Sequence[Sequence[float | None]], fixed: tuple[float, float] | None) -> tuple[float, float]:
    every = [value for row in table for value in defined(row)] or [0.0, 1.0]
    marks = ticks(min(every), max(every))
    return (marks[0], marks[-1]) if fixed is None else fixed


def _strength(value: float, ends: tuple[float, float]) -> float:
    share = (value - ends[0]) / (ends[1] - ends[0])
    return LIGHTEST + (DARKEST - LIGHTEST) * min(max(share, 0.0), 1.0)


def _cell(
    canvas: Canvas,
    frame: Rows,
    row: int,
    x: float,
    side: float,
    value: float | None,
    ends: tuple[float, float],
    within: ElementTree.Element | None,
) -> None:
    y = frame.middle(row)
    box = (x + 1, y - frame.height / 2 + 1, side - 2, frame.height - 2)
    if value is None:
        _undefined(canvas, box, within)
    else:
        canvas.rect(
            *box, within=within, rx=2, fill=PALETTE[0], fill_opacity=_strength(value, ends), class_="cell"
        )
    canvas.text(x + side / 2, y, _shown(value), anchor="middle", size=SMALL, within=within)


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}".replace("-", "−")


def _undefined(
    canvas: Canvas, box: tuple[float, float, float, float], within: ElementTree.Element | None = None
) -> None:
    canvas.rect(
        *box,
        within=within,
        rx=2,
        fill="none",
        stroke="currentColor",
        stroke_opacity=2 * FAINT,
        stroke_dasharray="3 3",
        class_="undefined",
    )


def _legend(canvas: Canvas, frame: Rows, ends: tuple[float, float], unit: str, lacking: bool) -> None:
    y, left = frame.bottom + 26, frame.left
    low, high = said(ends[0], ends), said(ends[1], ends)
    canvas.note(left, y, low)
    start = left + width_of(low, SMALL) + 6
    for step in range(6):
        opacity = LIGHTEST + (DARKEST - LIGHTEST) * step / 5
        canvas.rect(start + 18 * step, y - 6, 18, 12, fill=PALETTE[0], fill_opacity=opacity)
    canvas.note(start + 114, y, f"{high} {unit}".strip(), room=140)
    if lacking:
        _undefined(canvas, (start + 270, y - 6, 18, 12))
        canvas.note(start + 279, y, "–", anchor="middle")
        canvas.note(start + 294, y, "undefined")


def _told(rows_: Sequence[str], columns: Sequence[str], table: Sequence[Sequence[float | None]]) -> str:
    parts = []
    for name, line in zip(rows_, table, strict=True):
        cells = [
            f"{column} {'undefined' if value is None else format(value, '.2f')}"
            for column, value in zip(columns, line, strict=True)
        ]
        parts.append(f"{name}: {', '.join(cells)}")
    return "; ".join(parts) + "."
