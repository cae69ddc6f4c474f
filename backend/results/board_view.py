"""Which rows of a board somebody wants to see, and in which order: the same for page, JSON and CSV."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import Depends, Query

from backend.errors import BadInput
from backend.results.schemas import Board, BoardRow, BoardView

BEST_FIRST = ("ap.", "validation.", "ranked")
"""What is sorted downwards unless somebody asks for the other way."""


@dataclass(frozen=True)
class Wish:
    """What is asked of a board, as it stands in an address; `order` empty is the usual one of `sort`."""

    team: str = ""
    baselines: Literal["show", "hide"] = "show"
    sort: str = "place"
    order: Literal["", "asc", "desc"] = ""
    as_of: str = ""
    live: Literal["", "yes"] = ""

    @property
    def day(self) -> date | None:
        """Raises `BadInput` for what is no date."""
        try:
            return date.fromisoformat(self.as_of) if self.as_of else None
        except ValueError as error:
            raise BadInput("not_a_day", "Write the day as YYYY-MM-DD.") from error

    @property
    def descends(self) -> bool:
        """Whether the largest comes first."""
        return self.order == "desc" or (not self.order and self.sort.startswith(BEST_FIRST))

    def parameters(self, **changed: str) -> dict[str, str]:
        """As parameters of an address, without those that are as usual."""
        usual = vars(Wish())
        return {name: value for name, value in (vars(self) | changed).items() if value != usual[name]}


async def asked(
    team: Annotated[str, Query(max_length=100, description="Teams with this in their name only.")] = "",
    baselines: Annotated[Literal["show", "hide"], Query(description="Whether to list baselines.")] = "show",
    sort: Annotated[
        str, Query(max_length=60, description="place, team, ranked, ap.DATASET or validation.DATASET.")
    ] = "place",
    order: Annotated[
        Literal["", "asc", "desc"], Query(description="Up or down; empty: as usual for `sort`.")
    ] = "",
    as_of: Annotated[
        str, Query(max_length=10, description="YYYY-MM-DD: the board at the end of that day, UTC.")
    ] = "",
    live: Annotated[
        Literal["", "yes"], Query(description="For organizers: as it would be if it were not frozen.")
    ] = "",
) -> Wish:
    """The part of an address that says what is wanted of a board."""
    return Wish(team.strip(), baselines, sort or "place", order, as_of, live)


Asked = Annotated[Wish, Depends(asked)]


def seen(board: Board, wish: Wish) -> Board:
    """The board with the rows that are wanted, in the order that is wanted.

    Raises:
        BadInput: it cannot be sorted by that.
    """
    value = _sorter(board, wish.sort)
    rows = [row for row in board.rows if _fits(row, wish)]
    placed = [row for row in rows if value(row) is not None]
    placed.sort(key=value, reverse=wish.descends)  # rows that are equal stay in the order of the board
    view = BoardView(
        team=wish.team,
        baselines=wish.baselines,
        sort=wish.sort,
        order="desc" if wish.descends else "asc",
    )
    return board.model_copy(
        update={"rows": placed + [row for row in rows if value(row) is None], "view": view}
    )


def _fits(row: BoardRow, wish: Wish) -> bool:
    return wish.team.casefold() in row.team.casefold() and (wish.baselines == "show" or not row.baseline)


def _ap(dataset: str, row: BoardRow) -> float | None:
    return row.ap[dataset]


def _validation(dataset: str, row: BoardRow) -> float | None:
    return row.validation[dataset]


def _sorter(board: Board, sort: str) -> Callable[[BoardRow], Any]:
    known: dict[str, Callable[[BoardRow], Any]] = {
        "place": lambda row: row.place,
        "team": lambda row: row.team.casefold(),
        "ranked": lambda row: row.finished_at,
    }
    for name in board.datasets:
        known[f"ap.{name}"] = partial(_ap, name)
        known[f"validation.{name}"] = partial(_validation, name)
    if sort not in known:
        raise BadInput("unknown_sort", f"Sort by one of {', '.join(known)}.")
    return known[sort]
