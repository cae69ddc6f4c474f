"""What a viewer may know about submissions. Strangers learn nothing, not even that one exists."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, func, literal, select, tuple_
from sqlalchemy.orm import Session, contains_eager, joinedload, selectinload
from sqlalchemy.sql.base import ExecutableOption

from backend.db import now
from backend.errors import BadInput, NotFound
from backend.models.challenge import DatasetVersion
from backend.models.run import OPEN_STATES, Run
from backend.models.score import CaseResult, Score
from backend.models.scoring import ScoringVersion
from backend.models.submission import Submission
from backend.models.team import Membership
from backend.models.user import User
from backend.paging import Page
from backend.results import disclosure
from backend.results.leaderboard import rounded
from backend.results.schemas import (
    AnalysisProgress,
    OperatorRun,
    OperatorView,
    ScoreView,
    SubmissionSummary,
    SubmissionView,
    TeamName,
    ToyCase,
    ToyResult,
)
from datasets.manifest import Case
from submissions.contract import Outcome

MOST = 200


def find_submission(session: Session, submission_id: str, viewer: User) -> Submission:
    """A submission that the viewer may see: their team's, or any for organizers.

    Raises:
        NotFound: there is none, or it is another team's.
    """
    query = select(Submission).where(Submission.id == submission_id).options(*_loaded())
    submission = session.scalar(query)
    if submission is None or not (viewer.is_organizer or _is_member(session, submission.team_id, viewer)):
        raise NotFound("no_such_submission", "There is no such submission, or it is not your team's.")
    return submission


def _loaded() -> tuple[ExecutableOption, ...]:
    return joinedload(Submission.team), joinedload(Submission.challenge), selectinload(Submission.transitions)


def _is_member(session: Session, team_id: str, user: User) -> bool:
    query = select(Membership.id).where(Membership.team_id == team_id, Membership.user_id == user.id)
    return session.scalar(query) is not None


def list_submissions(
    session: Session, user: User, challenge: str | None, limit: int = 50, after: str = ""
) -> Page[SubmissionSummary]:
    """The submissions of the user's teams, newest first; `after` is the last id of the page before."""
    teams = select(Membership.team_id).where(Membership.user_id == user.id)
    return _page(
        session, select(Submission).where(Submission.team_id.in_(teams)), user, challenge, limit, after
    )


def list_everything(
    session: Session,
    viewer: User,
    challenge: str | None = None,
    state: str | None = None,
    limit: int = 50,
    after: str = "",
) -> Page[SubmissionSummary]:
    """All teams' submissions, newest first; for organizers, anybody else gets an empty list."""
    query = select(Submission).where(Submission.state == state) if state else select(Submission)
    if not viewer.is_organizer:
        return Page(items=[], next=None)
    return _page(session, query, viewer, challenge, limit, after)


def _page(
    session: Session,
    query: Select[Submission],
    viewer: User,
    challenge: str | None,
    limit: int,
    after: str,
) -> Page[SubmissionSummary]:
    limit = max(1, min(limit, MOST))
    position = tuple_(Submission.created_at, Submission.id)
    if challenge is not None:
        query = query.where(Submission.challenge_id == challenge)
    if after:
        query = query.where(position < _position_of(session, query, after))
    query = query.order_by(Submission.created_at.desc(), Submission.id.desc()).limit(limit + 1)
    found = session.scalars(query.options(*_loaded())).all()
    items = [summary(session, submission, viewer) for submission in found[:limit]]
    return Page(items=items, next=items[-1].id if len(found) > limit else None)


def _position_of(session: Session, query: Select[Submission], cursor: str) -> ColumnElement[Any]:
    # Looked up among the same rows, so that a stranger's id tells nothing.
    row = session.execute(
        query.with_only_columns(Submission.created_at, Submission.id).where(Submission.id == cursor)
    ).one_or_none()
    if row is None:
        raise BadInput("cursor_unknown", "There is no such page of the list. Begin again without `after`.")
    return tuple_(literal(row.created_at), literal(row.id))


def summary(session: Session, submission: Submission, viewer: User) -> SubmissionSummary:
    """One line about a submission."""
    return SubmissionSummary(
        id=submission.id,
        challenge=submission.challenge_id,
        team=TeamName(id=submission.team_id, name=submission.team.name),
        kind=submission.kind,
        task=submission.task,
        title=submission.title,
        state=submission.state,
        created_at=submission.created_at,
        finished_at=disclosure.finished_for(submission, viewer),
        failure=disclosure.failure_for(submission, viewer),
        queue_position=None if submission.is_final else queue_position(session, submission),
    )


def submission_view(session: Session, submission: Submission, viewer: User) -> SubmissionView:
    """All that the viewer may know of a submission.

    Raises:
        NotFound: it is another team's.
    """
    if not (viewer.is_organizer or _is_member(session, submission.team_id, viewer)):
        raise NotFound("no_such_submission", "There is no such submission, or it is not your team's.")
    runs = session.scalars(select(Run).where(Run.submission_id == submission.id).order_by(Run.id)).all()
    withheld = _scores_withheld(session, submission, viewer)
    return SubmissionView(
        **dict(summary(session, submission, viewer)),
        image_id=submission.image_id,
        warnings=submission.warnings,
        transitions=disclosure.transitions_for(submission, viewer),
        runs=disclosure.runs_for(submission, runs),
        toy=_toy_results(session, submission, runs),
        scores=[] if withheld else _scores(session, submission, viewer),
        scores_withheld=withheld,
        operator=operator_view(session, submission.id) if viewer.is_organizer else None,
    )


def queue_position(session: Session, submission: Submission) -> int | None:
    """Place in the queue, 1 for the next; None when nothing of it waits or something of it runs.

    Counted are submissions with work that would be taken before the first of ours in the same lane.
    """
    mine = select(Run).where(
        Run.submission_id == submission.id, Run.state.in_(OPEN_STATES), Run.stage != "analysis"
    )
    open_runs = session.scalars(mine.order_by(Run.priority, Run.id)).all()
    if not open_runs or any(run.state == "running" for run in open_runs):
        return None
    first = open_runs[0]
    ahead = select(func.count(Run.submission_id.distinct())).where(
        Run.lane == first.lane,
        Run.state == "waiting",
        Run.submission_id != submission.id,
        tuple_(Run.priority, Run.id) < tuple_(first.priority, first.id),
    )
    return 1 + (session.scalar(ahead) or 0)


def _scores_withheld(session: Session, submission: Submission, viewer: User) -> str | None:
    spec = submission.challenge.spec
    moment = session.scalars(select(now())).one()
    if submission.kind != "counted" or viewer.is_organizer or disclosure.own_scores_are_public(spec, moment):
        return None
    return disclosure.reveal_sentence(spec, "The scores")


def _scores(session: Session, submission: Submission, viewer: User) -> list[ScoreView]:
    decimals = 17 if viewer.is_organizer else submission.challenge.spec.publication.decimals
    found = _current_scores(session, submission, "test")
    return [
        ScoreView(
            task=score.task,
            dataset=score.dataset,
            average_precision=rounded(score.average_precision, decimals),
            validation=rounded(score.validation, decimals),
            undefined_because=score.undefined_because,
            note=note_on(score),
            outcomes=score.outcomes,
        )
        for score in found
    ]


def _current_scores(session: Session, submission: Submission, stage: str) -> Sequence[Score]:
    query = (
        select(Score)
        .join(Score.scoring_version)
        .where(Score.submission_id == submission.id, Score.stage == stage, ScoringVersion.current)
    )
    return session.scalars(query.order_by(Score.id).options(contains_eager(Score.scoring_version))).all()


def note_on(score: Score) -> str | None:
    """What cases without a usable prediction scored, if there are any and they did."""
    total = sum(score.outcomes.values())
    absent = total - score.outcomes.get(Outcome.SCORED, 0)
    rules = score.scoring_version.policy.get(score.task)
    if not absent or rules is None or rules["missing"] == "reject":
        return None
    have = "case has" if absent == 1 else "cases have"
    scores = {"zero": "scores 0", "worst": "scores as badly as possible (0 if abnormal, 1 if normal)"}
    return f"{absent} of {total} {have} no usable prediction; each {scores[rules['missing']]}."


def _toy_results(session: Session, submission: Submission, runs: Sequence[Run]) -> list[ToyResult]:
    query = select(CaseResult).where(CaseResult.submission_id == submission.id, CaseResult.stage == "toy")
    found = session.scalars(query.order_by(CaseResult.id)).all()
    scores = {(score.task, score.dataset): score for score in _current_scores(session, submission, "toy")}
    pairs = dict.fromkeys((result.task, result.dataset) for result in found)
    return [
        _toy_result(
            [result for result in found if (result.task, result.dataset) == pair],
            toy_cases(session, submission, pair[1], _version_run(runs, pair)),
            scores.get(pair),
        )
        for pair in pairs
    ]


def _version_run(runs: Iterable[Run], pair: tuple[str, str]) -> str:
    return next(
        (run.dataset_version for run in runs if run.stage == "toy" and (run.task, run.dataset) == pair), ""
    )


def toy_cases(session: Session, submission: Submission, dataset: str, version: str) -> dict[str, Case]:
    """Toy cases by id, of the version that the submission was run on."""
    query = select(DatasetVersion).where(
        DatasetVersion.challenge_id == submission.challenge_id,
        DatasetVersion.name == dataset,
        DatasetVersion.version == version,
    )
    row = session.scalar(query)
    return {case.id: case for case in row.manifest.cases_of("toy")} if row else {}


def _toy_result(results: Sequence[CaseResult], cases: dict[str, Case], score: Score | None) -> ToyResult:
    return ToyResult(
        task=results[0].task,
        dataset=results[0].dataset,
        average_precision=score.average_precision if score else None,
        undefined_because=score.undefined_because if score else None,
        note=note_on(score) if score else None,
        outcomes=dict(Counter(result.outcome for result in results)),
        cases=sorted(
            (_toy_case(result, cases[result.case_id]) for result in results if result.case_id in cases),
            key=lambda case: case.name,
        ),
    )


def _toy_case(result: CaseResult, case: Case) -> ToyCase:
    return ToyCase(
        name=case.name,
        outcome=result.outcome,
        detail=result.detail,
        score=result.score,
        label=case.label,
        has_view=result.view_sha256 is not None,
        average_precision=result.figures.get("average_precision"),
        exact_average_precision=result.figures.get("exact_average_precision"),
        warning=result.figures.get("collapse"),
    )


def operator_view(session: Session, submission_id: str) -> OperatorView:
    """The full story of a submission. The caller has checked that an organizer asks."""
    submission = session.get_one(Submission, submission_id)
    runs = session.scalars(select(Run).where(Run.submission_id == submission_id).order_by(Run.id)).all()
    return OperatorView(
        failure_message=submission.failure_message,
        failure_detail=submission.failure_detail,
        failure_ours=submission.failure_ours,
        archive_sha256=submission.archive_sha256,
        analysis=_progress([run.state for run in runs if run.is_beside]),
        runs=[OperatorRun.model_validate(run, from_attributes=True) for run in runs],
    )


def _progress(states: Sequence[str]) -> AnalysisProgress | None:
    if not states:
        return None
    counts = Counter(states)
    open_ = sum(counts[state] for state in OPEN_STATES)
    return AnalysisProgress(runs=len(states), done=counts["done"], failed=counts["failed"], open=open_)
