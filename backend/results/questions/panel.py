"""What every answer is made of: a figure of the report, and the same as a table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend.results.report_tables import Column, Table, Target

Told = Mapping[str, Any]
"""A task of the report's document."""


@dataclass(frozen=True)
class Panel:
    """One figure with its table. `undefined` says why there is none; `links` are those of its cells."""

    id: str
    title: str
    text: str
    table: Table | None = None
    figure: Mapping[str, Any] | None = None
    undefined: str | None = None
    links: Sequence[Sequence[Target]] | None = None


def names_of(told: Told) -> list[str]:
    """What entrants are called, in the order of the board."""
    return [entrant["name"] for entrant in told["entrants"]]


def teams(told: Told) -> list[Column]:
    """A column of figures an entrant."""
    return [
        Column(f"team.{entrant['submission']}", entrant["name"], "figure", True)
        for entrant in told["entrants"]
    ]


def by_team(told: Told, values: Sequence[Any]) -> dict[str, Any]:
    """The cells of a row in these columns."""
    return {column.key: value for column, value in zip(teams(told), values, strict=True)}


def figure_of(told: Told, kind: str, section: str, dataset: str | None = None, title: str = "") -> Any:
    """A figure of the report, None where it drew none."""
    return next(
        (
            one
            for one in told["figures"]
            if (one["figure"], one["section"], one["dataset"]) == (kind, section, dataset)
            and one["title"].startswith(title)
        ),
        None,
    )
