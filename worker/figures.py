"""From results per case to the figures of a submission."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.models.challenge import DatasetVersion
from backend.models.run import Run
from backend.models.score import CaseResult, Score
from backend.models.submission import Submission
from backend.results import versions
from challenges.spec import Task
from datasets.manifest import Manifest
from scoring.aggregate import absent_case_score, mean_over_batches
from scoring.average_precision import UndefinedMetric, average_precision
from scoring.histograms import VoxelHistogram
from submissions.contract import Outcome


@dataclass(frozen=True)
class Figure:
    """Average precision by the ranking arrangement and by the validating one; None where undefined."""

    ranking: float | None
    validation: float | None = None
    undefined_because: str | None = None


def score(session: Session, submission: Submission, run_id: int) -> list[Score]:
    """Figures for every part, task and dataset on which the submission has results, on behalf of a run.

    Raises:
        ValueError: there is not exactly one result for every case.
    """
    query = select(Run.stage, Run.task, Run.dataset, Run.dataset_version).where(
        Run.submission_id == submission.id, Run.stage.in_(("toy", "test")), Run.state == "done"
    )
    current = versions.current(session, submission.challenge_id)
    scores = []
    for stage, task, dataset, version in session.execute(query.distinct()).all():
        results = _results(session, submission, stage, task, dataset)
        manifest = _manifest(session, submission, dataset, version)
        figure = _figure(submission.challenge.spec.tasks[task], task, stage, manifest, results)
        scores.append(
            Score(
                run_id=run_id,
                submission_id=submission.id,
                scoring_version_id=current.id,
                stage=stage,
                task=task,
                dataset=dataset,
                dataset_version=version,
                average_precision=figure.ranking,
                validation=figure.validation,
                undefined_because=figure.undefined_because,
                outcomes=dict(Counter(result.outcome for result in results)),
            )
        )
    return scores


def _results(
    session: Session, submission: Submission, stage: str, task: str, dataset: str
) -> list[CaseResult]:
    query = select(CaseResult).where(
        CaseResult.submission_id == submission.id,
        CaseResult.stage == stage,
        CaseResult.task == task,
        CaseResult.dataset == dataset,
    )
    return list(session.scalars(query.order_by(CaseResult.case_id)))


def _manifest(session: Session, submission: Submission, dataset: str, version: str) -> Manifest:
    query = select(DatasetVersion).where(
        DatasetVersion.challenge_id == submission.challenge_id,
        DatasetVersion.name == dataset,
        DatasetVersion.version == version,
    )
    return session.scalars(query).one().manifest


def _figure(task: Task, name: str, stage: str, manifest: Manifest, results: Sequence[CaseResult]) -> Figure:
    expected = {case.id for case in manifest.cases_of("toy" if stage == "toy" else "test", name)}
    found = {result.case_id for result in results}
    if expected != found:
        raise ValueError(
            f"{name}/{manifest.dataset}/{stage}: {len(expected ^ found)} results lack or are too many"
        )
    try:
        return (
            _over_cases(task, manifest, results)
            if task.level == "case"
            else _over_batches(name, stage, manifest, results)
        )
    except UndefinedMetric as error:
        return Figure(None, undefined_because=str(error)[:200])


def _over_cases(task: Task, manifest: Manifest, results: Sequence[CaseResult]) -> Figure:
    label_of = {case.id: case.label for case in manifest.cases}
    policy = "zero" if task.missing == "reject" else task.missing
    labels, scores = [], []
    for result in results:
        label = label_of[result.case_id] or 0
        scored = result.outcome == Outcome.SCORED and result.score is not None
        labels.append(label)
        scores.append(result.score if scored else absent_case_score(label, policy))
    return Figure(average_precision(np.array(labels), np.array(scores, dtype=np.float64)))


def _over_batches(name: str, stage: str, manifest: Manifest, results: Sequence[CaseResult]) -> Figure:
    histograms = {
        result.case_id: VoxelHistogram.from_bytes(result.statistic)
        for result in results
        if result.statistic is not None
    }
    arrangements = (
        [[list(histograms)]] if stage == "toy" else manifest.arrangements.get(name, [[list(histograms)]])
    )
    figures = [mean_over_batches(histograms, batches) for batches in arrangements]
    return Figure(figures[0], figures[1] if len(figures) > 1 else None)
