"""Tables of figures: sorted as somebody wishes, the same as a page, as CSV and as JSON."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from backend.errors import BadInput

Kind = Literal["text", "count", "place", "figure", "share", "p", "flag"]
Order = Literal["", "asc", "desc"]
Target = Mapping[str, str]
"""Where a cell leads: `{"dataset", "case"}`, or the wish for a list of cases."""
BEST_FIRST: tuple[Kind, ...] = ("figure", "share")
"""What is sorted downwards unless somebody asks for the other way."""


@dataclass(frozen=True)
class Column:
    """One column; `of_team` where it is the figure of one entrant."""

    key: str
    title: str
    kind: Kind = "text"
    of_team: bool = False

    def descends(self, order: Order) -> bool:
        """Whether the largest comes first."""
        return order == "desc" or (not order and self.kind in BEST_FIRST)


@dataclass(frozen=True)
class Row:
    """Values by column, None for what is undefined; `notes` stand beside values, `links` lead from them."""

    cells: Mapping[str, Any]
    notes: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, Target] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """Columns and rows; `sort` and `order` say what the rows were sorted by, if by anything."""

    columns: Sequence[Column]
    rows: Sequence[Row]
    sort: str = ""
    order: Order = ""

    def sorted(self, by: str, order: Order = "") -> "Table":
        """The same rows in another order; undefined values come last either way.

        Raises:
            BadInput: there is no such column.
        """
        column = next((one for one in self.columns if one.key == by), None)
        if column is None:
            raise BadInput("unknown_sort", f"Sort by one of {', '.join(one.key for one in self.columns)}.")
        known = [row for row in self.rows if row.cells.get(by) is not None]
        known.sort(key=lambda row: _comparable(row.cells[by]), reverse=column.descends(order))
        lacking = [row for row in self.rows if row.cells.get(by) is None]
        way: Order = "desc" if column.descends(order) else "asc"
        return replace(self, rows=[*known, *lacking], sort=by, order=way)

    def without_empty(self, *kept: str) -> "Table":
        """Without the columns in which no row has a value, but for those `kept`."""
        used = {key for row in self.rows for key, value in row.cells.items() if value is not None}
        used |= {key for row in self.rows for key in row.notes} | {*kept, self.sort}
        return replace(self, columns=[one for one in self.columns if one.key in used])

    def as_csv(self) -> str:
        """All rows; a column with notes is followed by one for them."""
        noted = {key for row in self.rows for key in row.notes}
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(
            _inert(title)
            for one in self.columns
            for title in (one.title, *([f"{one.title}: remark"] if one.key in noted else []))
        )
        for row in self.rows:
            table.writerow(
                cell
                for one in self.columns
                for cell in (
                    _plain(row.cells.get(one.key)),
                    *([_inert(row.notes.get(one.key, ""))] if one.key in noted else []),
                )
            )
        return text.getvalue()

    def as_json(self) -> dict[str, Any]:
        """Columns with their titles, and rows with values and notes by column."""
        return {
            "columns": [{"key": one.key, "title": one.title, "kind": one.kind} for one in self.columns],
            "rows": [
                dict(row.cells) | ({"notes": dict(row.notes)} if row.notes else {}) for row in self.rows
            ],
        }


def _comparable(value: Any) -> Any:
    return value.casefold() if isinstance(value, str) else value


def _plain(value: Any) -> Any:
    if value is None:
        return ""
    return _inert(value) if isinstance(value, str) else value


def _inert(text: str) -> str:
    # A cell that begins like a formula is run by spreadsheets.
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
