"""A board for other programs and for papers: as CSV, and how to cite it."""

import csv
import io
from dataclasses import dataclass
from datetime import UTC, date, datetime

from backend.results.schemas import Board, BoardRow
from challenges.spec import Challenge

PER_DATASET = ("ap", "place", "validation", "place_from", "place_to", "cases")


def as_csv(board: Board) -> str:
    """The rows that the board shows as a table; the intervals are `place_from` to `place_to`."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(
        [
            "place",
            "team",
            *(f"{figure}_{name}" for name in board.datasets for figure in PER_DATASET),
            *("place_from", "place_to", "mean_place", "baseline", "ranked"),
        ]
    )
    for row in board.rows:
        figures = [value for name in board.datasets for value in _on_dataset(row, name)]
        rest = [*(row.interval or ("", "")), row.mean_place, row.baseline, _moment(row.finished_at)]
        table.writerow([row.place, _inert(row.team), *figures, *rest])
    return text.getvalue()


def _on_dataset(row: BoardRow, name: str) -> list[object]:
    ap, validation, cases = row.ap[name], row.validation[name], row.outcomes[name]
    return [
        "" if ap is None else ap,
        row.places[name],
        "" if validation is None else validation,
        *(row.intervals[name] or ("", "")),
        "; ".join(f"{count} {outcome}" for outcome, count in cases.items() if count),
    ]


def _moment(seconds: float | None) -> str:
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _inert(text: str) -> str:
    # A cell that begins like a formula is run by spreadsheets.
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


@dataclass(frozen=True)
class Citation:
    """How to refer to a board in a text, and the same for BibTeX."""

    text: str
    bibtex: str


def citation(board: Board, rules: Challenge, address: str, day: date) -> Citation:
    """Of the board as it stands at the end of `day`; `address` leads to it."""
    what = f"{rules.title}: leaderboard of the task {rules.tasks[board.task].title}"
    version = f"Scoring version {board.scoring.number}, {_state_of(board, day)}"
    fields = {
        "title": f"{{{_tex(what)}}}",
        "year": str(day.year),
        "howpublished": f"\\url{{{address}}}",
        "note": version,
    }
    inside = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items())
    return Citation(
        f"{what}. {version}. {address}",
        f"@misc{{{board.challenge}-{board.task}-{day},\n{inside}\n}}",
    )


def _state_of(board: Board, day: date) -> str:
    if board.frozen_since is None:
        return f"submissions ranked by {day}"
    return f"frozen on {datetime.fromtimestamp(board.frozen_since, UTC):%Y-%m-%d}"


def _tex(text: str) -> str:
    special = {"\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}"}
    special |= {character: f"\\{character}" for character in "&%$#_{}"}
    return "".join(special.get(character, character) for character in text)
