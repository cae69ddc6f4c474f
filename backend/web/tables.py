"""What pages with tables of figures share."""

from backend.results.report_tables import Column, Order, Table

ROWS = 100
"""Rows of a page, and of a table below a figure; CSV and JSON have all."""


def direction(table: Table, column: Column) -> str | None:
    """What `aria-sort` says of a column."""
    if column.key != table.sort:
        return None
    return "descending" if table.order == "desc" else "ascending"


def turned(table: Table, column: Column) -> Order:
    """The order that a link in a column's head asks for: by a column that is sorted by, the other one."""
    if column.key != table.sort:
        return ""
    return "asc" if table.order == "desc" else "desc"
