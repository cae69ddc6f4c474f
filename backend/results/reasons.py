"""Why a team has its place: every step from its figures to the place, as a page tells it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from backend.results.schemas import Board, BoardRow

Interval = tuple[int, int] | None


@dataclass(frozen=True)
class Step:
    """One dataset. `shared_with` are the other teams of this place; `close` those that only look equal."""

    dataset: str
    place: int
    ap: float | None
    validation: float | None
    outcomes: Mapping[str, int]
    shared_with: Sequence[str]
    close: Sequence[str]
    interval: Interval


@dataclass(frozen=True)
class Reason:
    """From the places on the datasets to the place: `ahead` teams have a smaller mean."""

    steps: Sequence[Step]
    total: int
    mean: float
    ahead: int
    place: int
    shared_with: Sequence[str]
    interval: Interval


def reasons(board: Board) -> dict[str, Reason]:
    """Of every team by submission; `board` has all its rows."""
    return {row.submission: _reason(board, row) for row in board.rows}


def _reason(board: Board, row: BoardRow) -> Reason:
    return Reason(
        steps=[_step(board.rows, row, name) for name in board.datasets],
        total=sum(row.places.values()),
        mean=row.mean_place,
        ahead=row.place - 1,
        place=row.place,
        shared_with=row.shared_with,
        interval=row.interval,
    )


def _step(rows: Sequence[BoardRow], row: BoardRow, name: str) -> Step:
    others = [other for other in rows if other is not row and other.ap[name] == row.ap[name]]
    return Step(
        dataset=name,
        place=row.places[name],
        ap=row.ap[name],
        validation=row.validation[name],
        outcomes=row.outcomes[name],
        shared_with=[other.team for other in others if other.places[name] == row.places[name]],
        close=[other.team for other in others if other.places[name] != row.places[name]],
        interval=row.intervals[name],
    )
