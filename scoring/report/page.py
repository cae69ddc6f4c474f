"""The report as a page for people: one file that needs no script, no network and nothing beside it."""

from collections.abc import Mapping, Sequence
from string import ascii_lowercase
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from scoring.report.drawings import draw

DECIMALS = 3


def to_html(document: Mapping[str, Any]) -> bytes:
    """One self-contained HTML file as UTF-8, from what `analyse` made."""
    return (_environment().get_template("report.html.j2").render(report=document) + "\n").encode()


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("scoring.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "percent": percent, "p_value": p_value, "words": words}
    environment.globals |= {"Notes": Notes, "drawn": _Drawn(), "span": span, "groups_of": by_median}
    return environment


class Notes:
    """The reasons why cells of one table are undefined, each under a letter below the table."""

    def __init__(self) -> None:
        self._letters: dict[str, str] = {}

    def letter(self, reason: str) -> str:
        """The letter of a reason: a, b, … z, aa, …"""
        number = len(self._letters)
        return self._letters.setdefault(reason, ascii_lowercase[number % 26] * (1 + number // 26))

    def reasons(self) -> list[tuple[str, str]]:
        """Letters and reasons, in the order in which they came up."""
        return [(letter, reason) for reason, letter in self._letters.items()]


class _Drawn:
    """Draws the figures of a page, each with a prefix of its own for ids."""

    def __init__(self) -> None:
        self._count = 0

    def __call__(self, drawing: Mapping[str, Any]) -> Markup:
        self._count += 1
        # The figures escape what they are given.
        return Markup(draw(dict(drawing), f"f{self._count}"))


def number(value: float | None, decimals: int = DECIMALS) -> str:
    """A figure with as many decimals as the challenge shows; a dash for none."""
    return "–" if value is None else f"{value:.{decimals}f}".replace("-", "−")


def percent(share: float | None) -> str:
    """A share with three significant digits."""
    if share is None:
        return "–"
    digits = 0 if share == 0 or share >= 0.9995 else 1 if share >= 0.1 else 2 if share >= 0.01 else 3
    return f"{100 * share:.{digits}f}\N{NO-BREAK SPACE}%"


def p_value(p: float) -> str:
    """A p-value with three decimals, the small ones as below one thousandth."""
    return "< 0.001" if p < 0.0005 else f"{p:.3f}"


def words(name: str) -> str:
    """A name of the document for people."""
    return name.replace("_", " ")


def span(interval: Sequence[float] | None, decimals: int | None = None) -> str:
    """An interval, of whole numbers or with decimals."""
    if interval is None:
        return "–"
    low, high = (str(end) if decimals is None else number(end, decimals) for end in interval)
    return low if low == high else f"{low} – {high}"


def by_median(groups: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Groups from the one that the median entrant finds best to the hardest."""
    return sorted(
        groups,
        key=lambda group: -(-1 if (middle := group["average_precision"]["median"]) is None else middle),
    )
