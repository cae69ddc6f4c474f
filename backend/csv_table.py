"""Tables for other programs, as CSV."""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime


def as_csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A header and its rows; None is an empty cell."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(header)
    table.writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def moment(seconds: float | None) -> str:
    """A time as programs read it, UTC."""
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _cell(value: object) -> object:
    if not isinstance(value, str):
        return "" if value is None else value
    # A cell that begins like a formula is run by spreadsheets.
    return f"'{value}" if value.startswith(("=", "+", "-", "@", "\t", "\r")) else value
