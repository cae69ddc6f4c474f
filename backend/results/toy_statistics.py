"""What figures on toy cases are computed from, for the owner: toy cases and their labels are public."""

from base64 import b64encode
from collections.abc import Sequence
from itertools import groupby

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.models.run import Run
from backend.models.score import CaseResult
from backend.models.submission import Submission
from backend.results import versions
from backend.results.schemas import ToyCaseStatistics, ToyPartStatistics, ToyStatistics
from backend.results.service import toy_cases
from datasets.manifest import Case


def toy_statistics(session: Session, submission: Submission) -> ToyStatistics:
    """Everything stored of the toy cases of a submission. The caller has checked who asks."""
    query = select(CaseResult).where(CaseResult.submission_id == submission.id, CaseResult.stage == "toy")
    found = session.scalars(query.order_by(CaseResult.task, CaseResult.dataset, CaseResult.case_id)).all()
    version = versions.current(session, submission.challenge_id)
    return ToyStatistics(
        submission=submission.id,
        challenge=submission.challenge_id,
        team=submission.team.name,
        image_id=submission.image_id,
        scoring=versions.view(version, None),
        parts=[
            _part(session, submission, task, dataset, list(results))
            for (task, dataset), results in groupby(found, lambda result: (result.task, result.dataset))
        ],
    )


def _part(
    session: Session, submission: Submission, task: str, dataset: str, results: Sequence[CaseResult]
) -> ToyPartStatistics:
    version = session.scalars(
        select(Run.dataset_version)
        .where(
            Run.submission_id == submission.id, Run.stage == "toy", Run.task == task, Run.dataset == dataset
        )
        .limit(1)
    ).one()
    cases = toy_cases(session, submission, dataset, version)
    told = [_case(result, cases[result.case_id]) for result in results if result.case_id in cases]
    return ToyPartStatistics(
        task=task, dataset=dataset, dataset_version=version, cases=sorted(told, key=lambda case: case.name)
    )


def _case(result: CaseResult, case: Case) -> ToyCaseStatistics:
    return ToyCaseStatistics(
        name=case.name,
        label=case.label,
        outcome=result.outcome,
        detail=result.detail,
        score=result.score,
        statistic=b64encode(result.statistic).decode() if result.statistic is not None else None,
        objects=result.figures.get("objects") or {},
        warning=result.figures.get("collapse"),
    )
