"""What the place of every entrant would be under other ways to rank."""

from collections.abc import Mapping, Sequence

from scoring.report.figures.axes import by_place, same_length
from scoring.report.figures.canvas import WIDTH, Canvas, nothing
from scoring.report.figures.lettering import SMALL, clean, width_of
from scoring.report.figures.marks import Spot, draw_line

FAN = 7.0  # how far entrants who share a place stand apart
Place = int | None


def ranking_methods(
    places_by_method: Mapping[str, Sequence[Place]],
    names: Sequence[str],
    *,
    prefix: str,
    title: str = "Places under other ways to rank",
) -> str:
    """Line plot: a column a ranking method, a line an entrant, at the height of its place under each method.

    A level line says that the choice does not matter to that entrant. Entrants who share a place hang closely
    together from its height; the names at the left are in the order of the first method, those at the right
    of the last. A place of None is undefined and interrupts the line. As in challengeR (Wiesenfarth et al.
    2021, "Methods and open-source toolkit for analyzing and visualizing challenge results", section "Ranking
    robustness"). Raises `ValueError` for lengths that differ and for places outside 1 to their number.
    """
    methods = list(places_by_method)
    table = [list(places_by_method[method]) for method in methods]
    same_length(names=len(names), **{f"places by {m}": len(t) for m, t in zip(methods, table, strict=True)})
    if any(place is not None and not 1 <= place <= len(names) for column in table for place in column):
        raise ValueError(f"a place among {len(names)} is a number from 1 to {len(names)}")
    if not names or not methods:
        return nothing(prefix=prefix, kind="methods", title=title)
    step = 30.0 if len(names) <= 12 else 22.0
    top = 52.0
    beside = min(150.0, max(width_of(clean(name)) for name in names)) + 8
    left, right = beside + 44, WIDTH - beside - 44
    canvas = Canvas(
        top + step * len(names) + 4,
        prefix=prefix,
        kind="methods",
        title=title,
        desc=_told(methods, table, names),
    )
    gaps = max(len(methods) - 1, 1)
    xs = [left + (right - left) * (j / gaps if len(methods) > 1 else 0.5) for j in range(len(methods))]
    spots = [_spots(column, x, top, step) for column, x in zip(table, xs, strict=True)]
    _heads(canvas, methods, table, xs, top, step * len(names))
    for index in range(len(names)):
        draw_line(canvas, index, [column[index] for column in spots], "entrant")
    for x, column, anchor, way in ((left, 0, "end", -1), (right, -1, "start", 1)):
        _ends(canvas, names, table[column], spots[column], x, top, step, anchor, way, beside)
    return canvas.svg()


def _spots(places: Sequence[Place], x: float, top: float, step: float) -> list[Spot]:
    """Where each entrant's marker stands; a tie hangs down from its place into those that it leaves free."""
    spots: list[Spot] = [None] * len(places)
    for place in {place for place in places if place is not None}:
        tied = [index for index, other in enumerate(places) if other == place]
        y, bottom = top + (place - 0.5) * step, top + len(places) * step - 5
        gap = min(FAN, (bottom - y) / max(len(tied) - 1, 1))
        for rank, index in enumerate(tied):
            spots[index] = x, y + rank * gap
    return spots


def _heads(
    canvas: Canvas,
    methods: Sequence[str],
    table: Sequence[Sequence[Place]],
    xs: Sequence[float],
    top: float,
    height: float,
) -> None:
    room = (xs[1] - xs[0]) * 0.95 if len(xs) > 1 else 300.0
    for method, column, x in zip(methods, table, xs, strict=True):
        canvas.line(x, top, x, top + height, faint=True)
        canvas.paragraph(x, 10, method, room=room)
        if all(place is None for place in column):
            canvas.note(x, top + height / 2, "undefined", anchor="middle")


def _ends(
    canvas: Canvas,
    names: Sequence[str],
    places: Sequence[Place],
    spots: Sequence[Spot],
    x: float,
    top: float,
    step: float,
    anchor: str,
    way: int,
    room: float,
) -> None:
    """The names beside the first or last method, each in its own row, tied to its marker by a thin line."""
    for row, index in enumerate(by_place(places)):
        y, spot = top + (row + 0.5) * step, spots[index]
        if spot is not None:
            canvas.line(spot[0] + way * 6, spot[1], x + way * 18, y, faint=True)
        place = "–" if places[index] is None else str(places[index])
        canvas.text(x + way * 28, y, place, anchor="middle", size=SMALL, font_weight="bold")
        canvas.text(x + way * 44, y, names[index], anchor=anchor, room=room - 8)


def _told(methods: Sequence[str], table: Sequence[Sequence[Place]], names: Sequence[str]) -> str:
    parts = []
    for index, name in enumerate(names):
        column = [
            f"{'undefined' if places[index] is None else places[index]} by {method}"
            for method, places in zip(methods, table, strict=True)
        ]
        parts.append(f"{name}: {', '.join(column)}")
    return "; ".join(parts) + "."
