"""Two submissions side by side: figures, outcomes, and toy cases where both ran on the same."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.errors import BadInput, NotFound
from backend.models.run import Run
from backend.models.score import Score
from backend.models.scoring import ScoringVersion
from backend.models.submission import Submission
from backend.models.user import User
from backend.results import service
from backend.results.schemas import ScoreView, SubmissionSummary, SubmissionView, ToyCase, ToyResult

CHOICES = 100
"""As many submissions are offered, the newest."""

Key = tuple[str, str]
"""A task and a dataset."""


@dataclass(frozen=True)
class FiguresOf:
    """Figures of one dataset of both; `comparable` says that both stand on the same cases."""

    task: str
    dataset: str
    first: ScoreView | None
    second: ScoreView | None
    comparable: bool

    @property
    def difference(self) -> float | None:
        """The second's average precision less the first's."""
        if not self.comparable or self.first is None or self.second is None:
            return None
        return difference(self.first.average_precision, self.second.average_precision)


@dataclass(frozen=True)
class CasePair:
    """A toy case as both submissions did it."""

    name: str
    first: ToyCase
    second: ToyCase

    @property
    def difference(self) -> float | None:
        """Of the scores of the case, or of the average precisions of its voxels: second less first."""
        if self.first.score is not None or self.second.score is not None:
            return difference(self.first.score, self.second.score)
        return difference(self.first.average_precision, self.second.average_precision)


@dataclass(frozen=True)
class Toys:
    """Toy results of one dataset of both; no `cases` where the versions of the toy cases differ."""

    task: str
    dataset: str
    first: ToyResult
    second: ToyResult
    same: bool
    cases: Sequence[CasePair]


@dataclass(frozen=True)
class SideBySide:
    """Two submissions of one challenge."""

    first: SubmissionView
    second: SubmissionView
    figures: Sequence[FiguresOf]
    toys: Sequence[Toys]

    def chosen(self, task: str, dataset: str, case: str) -> tuple[Toys, CasePair] | None:
        """The toy case that is asked for; if none is, the first abnormal one. None if there is no common one.

        Raises:
            NotFound: a case is asked for that is not common to both.
        """
        pairs = [(toys, pair) for toys in self.toys for pair in toys.cases]
        if case:
            for toys, pair in pairs:
                if (toys.task, toys.dataset, pair.name) == (task, dataset, case):
                    return toys, pair
            raise NotFound("no_such_pair", "There is no such toy case that both submissions ran on.")
        abnormal = (found for found in pairs if found[1].first.label)
        return next(abnormal, pairs[0] if pairs else None)


def difference(first: float | None, second: float | None) -> float | None:
    """How much higher the second is; None unless both are there."""
    return None if first is None or second is None else second - first


def choices(session: Session, viewer: User, challenge: str | None) -> Sequence[SubmissionSummary]:
    """What may be compared: the viewer's teams' submissions, for organizers everybody's of a challenge."""
    if viewer.is_organizer and challenge is not None:
        return service.list_everything(session, viewer, challenge, limit=CHOICES).items
    return service.list_submissions(session, viewer, challenge, limit=CHOICES).items


def compare(session: Session, first_id: str, second_id: str, viewer: User) -> SideBySide:
    """Two submissions that the viewer may see.

    Raises:
        NotFound: one of them is not there, or another team's.
        BadInput: it is the same one twice, or they are of two challenges.
    """
    rows = [service.find_submission(session, name, viewer) for name in (first_id, second_id)]
    if first_id == second_id:
        raise BadInput("same_submission", "That is one submission twice. Choose another one beside it.")
    if rows[0].challenge_id != rows[1].challenge_id:
        raise BadInput("two_challenges", "These submissions are of two challenges. Choose two of one.")
    first, second = (service.submission_view(session, row, viewer) for row in rows)
    return SideBySide(
        first,
        second,
        _figures(first, second, *_scored_on(session, rows)),
        _toys(first, second, *_ran_on(session, rows)),
    )


def _figures(
    first: SubmissionView, second: SubmissionView, on_first: Mapping[Key, str], on_second: Mapping[Key, str]
) -> list[FiguresOf]:
    ours, theirs = ({(one.task, one.dataset): one for one in view.scores} for view in (first, second))
    return [
        FiguresOf(*key, ours.get(key), theirs.get(key), on_first.get(key) == on_second.get(key))
        for key in dict.fromkeys([*ours, *theirs])
    ]


def _scored_on(session: Session, rows: Iterable[Submission]) -> list[dict[Key, str]]:
    """The version of the hidden cases that each submission's figures stand on."""
    query = (
        select(Score.task, Score.dataset, Score.dataset_version)
        .join(ScoringVersion)
        .where(Score.stage == "test", ScoringVersion.current)
    )
    return [
        {
            (task, dataset): version
            for task, dataset, version in session.execute(query.where(Score.submission_id == row.id))
        }
        for row in rows
    ]


def _ran_on(session: Session, rows: Iterable[Submission]) -> list[dict[Key, str]]:
    """The version of the toy cases that each submission ran on."""
    query = select(Run.task, Run.dataset, Run.dataset_version).where(Run.stage == "toy")
    return [
        {
            (task, dataset): version
            for task, dataset, version in session.execute(query.where(Run.submission_id == row.id))
        }
        for row in rows
    ]


def _toys(
    first: SubmissionView, second: SubmissionView, on_first: Mapping[Key, str], on_second: Mapping[Key, str]
) -> list[Toys]:
    ours, theirs = ({(one.task, one.dataset): one for one in view.toy} for view in (first, second))
    found = []
    for key in (key for key in ours if key in theirs):
        same = on_first.get(key) == on_second.get(key)
        found.append(Toys(*key, ours[key], theirs[key], same, _pairs(ours[key], theirs[key]) if same else []))
    return found


def _pairs(first: ToyResult, second: ToyResult) -> list[CasePair]:
    others = {case.name: case for case in second.cases}
    return [CasePair(case.name, case, others[case.name]) for case in first.cases if case.name in others]
