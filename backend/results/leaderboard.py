"""The leaderboard: one row per team, ranked on full precision, shown rounded."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from backend.db import now
from backend.errors import BadInput, Forbidden, NotFound
from backend.models.challenge import Challenge, DatasetVersion
from backend.models.reveal import FrozenBoard
from backend.models.score import Score
from backend.models.scoring import ScoringVersion
from backend.models.submission import Submission
from backend.models.team import Membership
from backend.models.user import User
from backend.results import disclosure, versions
from backend.results.schemas import Board, BoardRow
from backend.results.standing import Basis, Figures, Found, basis_of, found_for
from challenges import spec as rules
from challenges.changes import revealed
from scoring.ranking import consensus, places
from scoring.report.study import Entrant


@dataclass(frozen=True)
class Entered:
    """Who is on a board, with what: `figures` of full precision by submission and dataset."""

    entries: Sequence[Submission]
    figures: Figures
    basis: Basis

    @property
    def entrants(self) -> list[Entrant]:
        """As the report knows them."""
        return [Entrant(one.team.name, one.id, one.image_id, one.team.baseline) for one in self.entries]

    def average_precision(self, submission: str, dataset: str) -> float | None:
        """None where there is no figure on the current version of the dataset, or it is undefined."""
        score = self.figures.get((submission, dataset))
        return score.average_precision if score else None


@dataclass(frozen=True)
class _Look:
    """By which rules a board is shown, when, and to whom: an organizer, a member of a `team`, a stranger."""

    spec: rules.Challenge
    moment: float
    organizer: bool = False
    team: str | None = None

    @property
    def decimals(self) -> int:
        return 17 if self.organizer else self.spec.publication.decimals

    @property
    def aliases(self) -> bool:
        return not self.organizer and disclosure.aliases_are_in_force(self.spec, self.moment)


def leaderboard(
    session: Session,
    challenge: Challenge,
    task: str,
    viewer: User | None,
    scoring: int | None = None,
    as_of: date | None = None,
    live: bool = False,
) -> Board:
    """The ranking of one task: per team the last counted submission that was scored.

    Once the board is frozen, it is that of the frozen submissions; organizers may ask for the `live` one.
    `scoring` is the number of a scoring version, the public one if not given. With `as_of` the submissions
    are those that were ranked by the end of that day (UTC); the rules and cases are those of today.

    Raises:
        NotFound: the challenge has no such task, or, for organizers, no such scoring version.
        Forbidden: the board is not public yet, was not then, or is not the public one.
        BadInput: the day has not come yet.
    """
    spec = challenge.spec
    if task not in spec.tasks:
        raise NotFound("no_such_task", f"{challenge.title} has no task {task}.", tasks=list(spec.tasks))
    organizer = viewer is not None and viewer.is_organizer
    moment = session.scalars(select(now())).one()
    if not organizer and not disclosure.board_is_public(spec, moment):
        raise Forbidden("board_not_public", disclosure.reveal_sentence(spec, "The results"))
    if live and not organizer and challenge.frozen is not None:
        raise Forbidden("board_not_public", "The board is frozen; later submissions are not shown.")
    version = _version(session, challenge, scoring, organizer)
    until = None if as_of is None else _until(spec, as_of, moment, organizer)
    look = _Look(spec, moment, organizer, _team_of(session, challenge, viewer))
    found = _board(session, challenge, task, version, look, until, live)
    return found.model_copy(update={"as_of": as_of})


def previewed(session: Session, challenge: Challenge, task: str) -> Board:
    """The board as everybody sees it once it is published; for organizers only."""
    moment = session.scalars(select(now())).one()
    look = _Look(revealed(challenge.spec, disclosure.utc(int(moment))), moment)
    version = _version(session, challenge, None, organizer=True)
    return _board(session, challenge, task, version, look)


def _board(
    session: Session,
    challenge: Challenge,
    task: str,
    version: ScoringVersion,
    look: _Look,
    until: float | None = None,
    live: bool = False,
) -> Board:
    spec, frozen = look.spec, _frozen(challenge, until, live)
    board = entered(session, challenge, task, version, until, live)
    of_now = frozen is not None or until is None or until > look.moment
    found = found_for(session, challenge, board.basis, expected=version.current and of_now)
    rows = _ranked(board, found, list(spec.datasets), look)
    about = found.about if look.organizer else found.about.model_copy(update={"reason": None})
    return Board(
        challenge=challenge.id,
        task=task,
        datasets=list(spec.datasets),
        decimals=spec.publication.decimals,
        scoring=versions.view(version, None),
        as_of=None,
        frozen_since=frozen.created_at if frozen else None,
        aliases=look.aliases,
        uncertainty=about,
        positive_share=_positive_share(spec, task, found, look),
        total=len(rows),
        rows=rows,
    )


def _frozen(challenge: Challenge, until: float | None = None, live: bool = False) -> FrozenBoard | None:
    """The frozen board, if that is the one to show: what stood before it was frozen is as it was."""
    frozen = challenge.frozen
    return None if live or frozen is None or (until is not None and until <= frozen.created_at) else frozen


def _team_of(session: Session, challenge: Challenge, viewer: User | None) -> str | None:
    if viewer is None:
        return None
    query = select(Membership.team_id).where(
        Membership.user_id == viewer.id, Membership.challenge_id == challenge.id
    )
    return session.scalar(query)


def _until(spec: rules.Challenge, as_of: date, moment: float, organizer: bool) -> float:
    """The end of a day, seconds since the epoch."""
    if as_of > disclosure.utc(moment).date():
        raise BadInput("day_to_come", f"{as_of} has not come yet; choose today or a day before.")
    until = disclosure.end_of(as_of)
    if not organizer and not disclosure.board_is_public(spec, min(until, moment)):
        raise Forbidden("board_not_public", f"There was no public board on {as_of}.")
    return until


def _version(session: Session, challenge: Challenge, number: int | None, organizer: bool) -> ScoringVersion:
    public = versions.public(session, challenge)
    if number in (None, public.number):
        return public
    if not organizer:  # the same answer whether there is such a version or not
        raise Forbidden("board_not_public", f"The public board is that of scoring version {public.number}.")
    return versions.numbered(session, challenge.id, number or 0)


def entered(
    session: Session,
    challenge: Challenge,
    task: str,
    version: ScoringVersion,
    until: float | None = None,
    live: bool = False,
) -> Entered:
    """Who is on the board of a task under a scoring version, or was `until` then."""
    entries = entries_of(session, challenge, task, until, live)
    figures = _figures(session, version, task, [entry.id for entry in entries])
    datasets = _datasets(session, challenge)
    return Entered(entries, figures, basis_of(challenge, task, version, datasets, entries, figures))


def entries_of(
    session: Session, challenge: Challenge, task: str, until: float | None = None, live: bool = False
) -> list[Submission]:
    """Everybody's submission on the board of a task: the frozen ones, once it is frozen.

    What was withdrawn since is on no board.
    """
    frozen = _frozen(challenge, until, live)
    if frozen is None:
        return last_scored(session, challenge.id, task, until)
    return _loaded(session, frozen.entries.get(task, []))


def last_scored(
    session: Session, challenge_id: str, task: str, until: float | None = None
) -> list[Submission]:
    """Everybody's submission that counts in a task: per team the last counted one that was scored.

    With `until` of those only that had ended before, by the time that everybody is told.
    """
    ranked = (
        select(Submission.team_id, Submission.id, Submission.finished_at)
        .where(
            Submission.challenge_id == challenge_id,
            Submission.task == task,
            Submission.kind == "counted",
            Submission.state == "ranked",
        )
        .order_by(Submission.created_at, Submission.id)
    )
    # Of many submissions few count: only these are loaded.
    last = {team: found for team, found, at in session.execute(ranked) if until is None or _ended(at, until)}
    return _loaded(session, last.values())


def _loaded(session: Session, ids: Iterable[str]) -> list[Submission]:
    query = select(Submission).where(Submission.id.in_(ids), Submission.state == "ranked")
    query = query.options(joinedload(Submission.team), selectinload(Submission.transitions))
    return list(session.scalars(query.order_by(Submission.created_at, Submission.id)))


def _ended(at: float | None, until: float) -> bool:
    return at is not None and disclosure.rounded_moment(at) < until


def _datasets(session: Session, challenge: Challenge) -> dict[str, str]:
    """The current versions of the datasets by name."""
    query = select(DatasetVersion.name, DatasetVersion.version).where(
        DatasetVersion.challenge_id == challenge.id, DatasetVersion.current
    )
    known = challenge.spec.datasets
    return {name: version for name, version in session.execute(query) if name in known}


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


def _positive_share(spec: rules.Challenge, task: str, found: Found, look: _Look) -> dict[str, float | None]:
    """What a constant score would reach on each dataset, where that may be told.

    The share of abnormal cases is in the rules; that of positive voxels is counted in hidden masks.
    """
    if spec.tasks[task].level == "case":
        return {name: dataset.abnormal_share for name, dataset in spec.datasets.items()}
    public = look.organizer or disclosure.mask_totals_are_public(spec, look.moment)
    told = found.positive_share if public else {}
    return {name: _two_digits(told.get(name)) for name in spec.datasets}


def _two_digits(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.2g}")


def _ranked(board: Entered, found: Found, datasets: Sequence[str], look: _Look) -> list[BoardRow]:
    if not board.entries:
        return []
    by_dataset = {
        name: places([board.average_precision(entry.id, name) for entry in board.entries])
        for name in datasets
    }
    final = consensus(by_dataset)
    rows = [
        _row(entry, place, {name: by_dataset[name][index] for name in datasets}, board, found, look)
        for index, (entry, place) in enumerate(zip(board.entries, final, strict=True))
    ]
    _tell_who_shares(rows)
    return sorted(rows, key=lambda row: (row.place, row.team.casefold()))


def _tell_who_shares(rows: Sequence[BoardRow]) -> None:
    teams: dict[int, list[str]] = {}
    for row in sorted(rows, key=lambda row: row.team.casefold()):
        teams.setdefault(row.place, []).append(row.team)
    for row in rows:
        row.shared_with = [team for team in teams[row.place] if team != row.team]


def _row(
    entry: Submission,
    place: int,
    dataset_places: Mapping[str, int],
    board: Entered,
    found: Found,
    look: _Look,
) -> BoardRow:
    decimals = look.decimals
    scores = {name: board.figures.get((entry.id, name)) for name in dataset_places}
    return BoardRow(
        place=place,
        team=disclosure.shown_name(entry.team, look.aliases),
        submission=entry.id,
        ap={name: rounded(board.average_precision(entry.id, name), decimals) for name in scores},
        places=dict(dataset_places),
        mean_place=sum(dataset_places.values()) / len(dataset_places),
        shared_with=[],
        interval=found.places.get(entry.id),
        intervals={name: found.by_dataset.get(name, {}).get(entry.id) for name in scores},
        validation={
            name: rounded(score.validation if score else None, decimals) for name, score in scores.items()
        },
        outcomes={name: dict(score.outcomes) if score else {} for name, score in scores.items()},
        baseline=entry.team.baseline,
        finished_at=disclosure.finished_for(entry, None),
        mine=entry.team_id == look.team,
    )


def rounded(value: float | None, decimals: int) -> float | None:
    """A figure as it is shown."""
    return None if value is None else round(value, decimals)
