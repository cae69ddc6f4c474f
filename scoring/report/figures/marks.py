"""How one entrant or series is told from another: by colour, shape and dash together, never by colour alone.

The colours have at least 3:1 contrast with white and with a near-black ground, and are as far apart as that
allows for normal, red-blind, green-blind and blue-blind eyes. With 12 colours, 7 shapes and 5 dashes no pair
of colour and shape returns before the 84th entrant, none of colour and dash before the 60th.
"""

from collections.abc import Callable, Sequence

from scoring.report.figures.canvas import Canvas, number

PALETTE = (
    "#156ab0",
    "#fb5e07",
    "#09a684",
    "#b373fc",
    "#8f594f",
    "#c1009f",
    "#8586c5",
    "#cd1800",
    "#5f857e",
    "#9015ff",
    "#b6845a",
    "#ac48d4",
)
Spot = tuple[float, float] | None  # where a value stands; None when there is none
DASHES = ("none", "7 3", "2 3", "9 3 2 3", "14 4")


def colour(index: int) -> str:
    """The colour of the entrant or series at `index`."""
    return PALETTE[index % len(PALETTE)]


def dash(index: int) -> str:
    """The `stroke-dasharray` of the entrant or series at `index`."""
    return DASHES[index % len(DASHES)]


def shape(index: int, x: float, y: float, radius: float = 4.0) -> str:
    """Path data of the marker of `index` around (x, y); several can stand in one path."""
    return SHAPES[index % len(SHAPES)](x, y, radius)


def dot(x: float, y: float) -> str:
    """Path data of a point that a round line cap turns into a dot as wide as the stroke."""
    return f"M{number(x)},{number(y)}h.01"


def draw_line(canvas: Canvas, index: int, spots: Sequence[Spot], name: str) -> None:
    """The line of `index` through `spots` with its markers, interrupted where there is none; class `name`."""
    for piece in _pieces(spots):
        canvas.add(
            "polyline",
            points=" ".join(f"{number(x)},{number(y)}" for x, y in piece),
            fill="none",
            stroke=colour(index),
            stroke_width=2,
            stroke_dasharray=dash(index),
            class_=name,
        )
    drawn = "".join(shape(index, *spot) for spot in spots if spot is not None)
    if drawn:
        canvas.add("path", d=drawn, fill=colour(index), class_=f"{name}-marks")


def _pieces(spots: Sequence[Spot]) -> list[list[tuple[float, float]]]:
    """The unbroken runs of `spots` that are long enough for a line."""
    pieces: list[list[tuple[float, float]]] = [[]]
    for spot in spots:
        if spot is None:
            pieces.append([])
        else:
            pieces[-1].append(spot)
    return [piece for piece in pieces if len(piece) > 1]


def _polygon(*points: tuple[float, float]) -> str:
    return "M" + "L".join(f"{number(x)},{number(y)}" for x, y in points) + "Z"


def _circle(x: float, y: float, radius: float) -> str:
    r, start = number(radius), f"M{number(x - radius)},{number(y)}"
    return f"{start}a{r},{r} 0 1 0 {number(2 * radius)},0a{r},{r} 0 1 0 {number(-2 * radius)},0Z"


def _square(x: float, y: float, radius: float) -> str:
    r = 0.88 * radius
    return _polygon((x - r, y - r), (x + r, y - r), (x + r, y + r), (x - r, y + r))


def _up(x: float, y: float, radius: float) -> str:
    r = 1.15 * radius
    return _polygon((x, y - r), (x + r, y + 0.8 * r), (x - r, y + 0.8 * r))


def _diamond(x: float, y: float, radius: float) -> str:
    r = 1.25 * radius
    return _polygon((x, y - r), (x + r, y), (x, y + r), (x - r, y))


def _down(x: float, y: float, radius: float) -> str:
    r = 1.15 * radius
    return _polygon((x, y + r), (x - r, y - 0.8 * r), (x + r, y - 0.8 * r))


def _plus(x: float, y: float, radius: float) -> str:
    r, t = 1.15 * radius, 0.4 * radius
    return _polygon(*((x + a * r + b * t, y + c * r + d * t) for a, b, c, d in _ARMS))


def _cross(x: float, y: float, radius: float) -> str:
    r, t, s = 1.3 * radius, 0.4 * radius, 0.5**0.5
    arms = ((a * r + b * t, c * r + d * t) for a, b, c, d in _ARMS)
    return _polygon(*((x + s * (u - v), y + s * (u + v)) for u, v in arms))


# The corners of a plus, each as multiples of arm length and half thickness in x, then in y.
_ARMS = (
    (0, -1, -1, 0),
    (0, 1, -1, 0),
    (0, 1, 0, -1),
    (1, 0, 0, -1),
    (1, 0, 0, 1),
    (0, 1, 0, 1),
    (0, 1, 1, 0),
    (0, -1, 1, 0),
    (0, -1, 0, 1),
    (-1, 0, 0, 1),
    (-1, 0, 0, -1),
    (0, -1, 0, -1),
)
SHAPES: tuple[Callable[[float, float, float], str], ...] = (
    _circle,
    _square,
    _up,
    _diamond,
    _down,
    _plus,
    _cross,
)
