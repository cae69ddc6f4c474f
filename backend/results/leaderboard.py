"""The leaderboard: one row per team, ranked on full precision, shown rounded."""

import csv
import io
from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from backend.db import now
from backend.errors import Forbidden, NotFound
from backend.models.challenge import Challenge, DatasetVersion
from backend.models.score import Score
from backend.models.scoring import ScoringVersion
from backend.models.submission import Submission
from backend.models.user import User
from backend.results import disclosure, versions
from backend.results.schemas import Board, BoardRow
from scoring.ranking import consensus, places

Figures = Mapping[tuple[str, str], Score]  # by submission and dataset


def leaderboard(
    session: Session, challenge: Challenge, task: str, viewer: User | None, scoring: int | None = None
) -> Board:
    """The ranking of one task: per team the last counted submission that was scored.

    `scoring` is the number of a scoring version, the current one if not given.

    Raises:
        NotFound: the challenge has no such task, or, for organizers, no such scoring version.
        Forbidden: the board is not public yet, or is not the public one.
    """
    spec = challenge.spec
    if task not in spec.tasks:
        raise NotFound("no_such_task", f"{challenge.title} has no task {task}.", tasks=list(spec.tasks))
    organizer = viewer is not None and viewer.is_organizer
    moment = session.scalars(select(now())).one()
    if not organizer and not disclosure.board_is_public(spec, moment):
        raise Forbidden("board_not_public", disclosure.reveal_sentence(spec, "The results"))
    version = _version(session, challenge.id, scoring, organizer)
    entries = last_scored(session, challenge.id, task)
    figures = _figures(session, version, task, [entry.id for entry in entries])
    decimals = 17 if organizer else spec.publication.decimals
    rows = _ranked(entries, figures, list(spec.datasets), decimals)
    return Board(
        challenge=challenge.id,
        task=task,
        datasets=list(spec.datasets),
        decimals=spec.publication.decimals,
        scoring=versions.view(version, None),
        rows=rows,
    )


def _version(session: Session, challenge_id: str, number: int | None, organizer: bool) -> ScoringVersion:
    current = versions.current(session, challenge_id)
    if number in (None, current.number):
        return current
    if not organizer:  # the same answer whether there is such a version or not
        raise Forbidden("board_not_public", f"The public board is that of scoring version {current.number}.")
    return versions.numbered(session, challenge_id, number or 0)


def last_scored(session: Session, challenge_id: str, task: str) -> list[Submission]:
    """Everybody's submission that counts in a task: per team the last counted one that was scored."""
    query = (
        select(Submission)
        .where(
            Submission.challenge_id == challenge_id,
            Submission.task == task,
            Submission.kind == "counted",
            Submission.state == "ranked",
        )
        .order_by(Submission.created_at, Submission.id)
        .options(joinedload(Submission.team), selectinload(Submission.transitions))
    )
    return list({entry.team_id: entry for entry in session.scalars(query)}.values())


def _figures(session: Session, version: ScoringVersion, task: str, submissions: Sequence[str]) -> Figures:
    # Figures found on another version of the cases are not comparable: they count as missing.
    query = (
        select(Score)
        .join(
            DatasetVersion,
            (DatasetVersion.name == Score.dataset) & (DatasetVersion.version == Score.dataset_version),
        )
        .where(
            Score.submission_id.in_(submissions),
            Score.scoring_version_id == version.id,
            Score.stage == "test",
            Score.task == task,
            DatasetVersion.challenge_id == version.challenge_id,
            DatasetVersion.current,
        )
    )
    return {(score.submission_id, score.dataset): score for score in session.scalars(query)}


def _ranked(
    entries: Sequence[Submission], figures: Figures, datasets: Sequence[str], decimals: int
) -> list[BoardRow]:
    if not entries:
        return []
    by_dataset = {
        dataset: places([_average_precision(figures.get((entry.id, dataset))) for entry in entries])
        for dataset in datasets
    }
    final = consensus(by_dataset)
    rows = [
        _row(entry, final[index], {name: by_dataset[name][index] for name in datasets}, figures, decimals)
        for index, entry in enumerate(entries)
    ]
    return sorted(rows, key=lambda row: (row.place, row.team.casefold()))


def _average_precision(score: Score | None) -> float | None:
    return score.average_precision if score else None


def _row(
    entry: Submission, place: int, dataset_places: dict[str, int], figures: Figures, decimals: int
) -> BoardRow:
    scores = {name: figures.get((entry.id, name)) for name in dataset_places}
    return BoardRow(
        place=place,
        team=entry.team.name,
        submission=entry.id,
        ap={name: rounded(_average_precision(score), decimals) for name, score in scores.items()},
        places=dataset_places,
        validation={
            name: rounded(score.validation if score else None, decimals) for name, score in scores.items()
        },
        outcomes={name: dict(score.outcomes) if score else {} for name, score in scores.items()},
        baseline=entry.team.baseline,
        finished_at=disclosure.finished_for(entry, None),
    )


def rounded(value: float | None, decimals: int) -> float | None:
    """A figure as it is shown."""
    return None if value is None else round(value, decimals)


def as_csv(board: Board) -> str:
    """The board as a table, one column per figure and dataset."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    figures = ("ap", "place", "validation")
    table.writerow(
        ["place", "team", *(f"{figure}_{name}" for name in board.datasets for figure in figures), "baseline"]
    )
    for row in board.rows:
        values = [
            "" if value is None else value
            for name in board.datasets
            for value in (row.ap[name], row.places[name], row.validation[name])
        ]
        table.writerow([row.place, _inert(row.team), *values, row.baseline])
    return text.getvalue()


def _inert(text: str) -> str:
    # A cell that begins like a formula is run by spreadsheets.
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
