"""From results per case to the figures of a submission under a scoring version. No container is needed."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.models.challenge import DatasetVersion
from backend.models.run import Run
from backend.models.score import CaseResult, Score
from backend.models.scoring import ScoringVersion
from backend.models.submission import Submission
from backend.results.arrangements import arrangements_of
from backend.results.versions import Rules, rules_of
from challenges.spec import Missing, Task
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


@dataclass(frozen=True)
class _Stored:
    case: str
    outcome: str
    score: float | None
    statistic: bytes | None


@dataclass(frozen=True)
class _Part:
    """The results of one submission on the toy or the hidden cases of one dataset in one task."""

    stage: str
    task: str
    manifest: Manifest
    stored: Sequence[_Stored]

    @property
    def absent(self) -> set[str]:
        """The cases without a usable prediction."""
        return {result.case for result in self.stored if result.outcome != Outcome.SCORED}

    @cached_property
    def histograms(self) -> dict[str, VoxelHistogram]:
        """Of every case; of absent ones only the numbers of positive and negative voxels say something."""
        return {result.case: self._histogram(result) for result in self.stored}

    def _histogram(self, result: _Stored) -> VoxelHistogram:
        if result.statistic is None:
            raise ValueError(f"{self.task}/{self.manifest.dataset}: {result.case} has no statistic")
        return VoxelHistogram.from_bytes(result.statistic)


def score(
    session: Session, submission: Submission, versions: Sequence[ScoringVersion], run_id: int
) -> list[Score]:
    """Figures under each version for every part, task and dataset on which the submission has results.

    Nothing is written. `run_id` is the scoring run that found the results complete. A task that a version
    does not know, or the challenge not any more, has no figures under it.

    Raises:
        ValueError: there is not exactly one result for every case.
    """
    query = select(Run.stage, Run.task, Run.dataset, Run.dataset_version).where(
        Run.submission_id == submission.id, Run.stage.in_(("toy", "test")), Run.state == "done"
    )
    tasks, scores = submission.challenge.spec.tasks, []
    for stage, name, dataset, dataset_version in sorted(session.execute(query.distinct()).all()):
        using = [version for version in versions if name in version.policy and name in tasks]
        if not using:
            continue
        part = _part(
            session, submission, stage, name, _manifest(session, submission, dataset, dataset_version)
        )
        for version in using:
            figure = _figure(part, tasks[name], version)
            scores.append(
                Score(
                    run_id=run_id,
                    submission_id=submission.id,
                    scoring_version_id=version.id,
                    stage=stage,
                    task=name,
                    dataset=dataset,
                    dataset_version=dataset_version,
                    average_precision=figure.ranking,
                    validation=figure.validation,
                    undefined_because=figure.undefined_because,
                    outcomes=dict(Counter(result.outcome for result in part.stored)),
                )
            )
    return scores


def _manifest(session: Session, submission: Submission, dataset: str, version: str) -> Manifest:
    query = select(DatasetVersion).where(
        DatasetVersion.challenge_id == submission.challenge_id,
        DatasetVersion.name == dataset,
        DatasetVersion.version == version,
    )
    return session.scalars(query).one().manifest


def _part(session: Session, submission: Submission, stage: str, task: str, manifest: Manifest) -> _Part:
    query = select(CaseResult.case_id, CaseResult.outcome, CaseResult.score, CaseResult.statistic).where(
        CaseResult.submission_id == submission.id,
        CaseResult.stage == stage,
        CaseResult.task == task,
        CaseResult.dataset == manifest.dataset,
    )
    rows = session.execute(query.order_by(CaseResult.case_id)).all()
    part = _Part(stage, task, manifest, [_Stored(*row) for row in rows])
    expected = {case.id for case in manifest.cases_of("toy" if stage == "toy" else "test", task)}
    differing = expected ^ {result.case for result in part.stored}
    if differing:
        raise ValueError(f"{task}/{manifest.dataset}/{stage}: {len(differing)} results lack or are too many")
    return part


def _figure(part: _Part, task: Task, version: ScoringVersion) -> Figure:
    rules = rules_of(version.policy)[part.task]
    if rules.missing == "reject" and part.absent:
        return Figure(None, undefined_because=rejection(len(part.absent)))
    try:
        return _over_cases(part, rules) if task.level == "case" else _over_batches(part, rules, version)
    except UndefinedMetric as error:
        return Figure(None, undefined_because=str(error)[:200])


def rejection(count: int) -> str:
    """Why a submission with so many absent cases is not scored under `reject`."""
    have = "case has" if count == 1 else "cases have"
    return f"{count} {have} no usable prediction, and this challenge rejects such submissions"


def _over_cases(part: _Part, rules: Rules) -> Figure:
    label_of = {case.id: case.label or 0 for case in part.manifest.cases}
    labels = [label_of[result.case] for result in part.stored]
    scores = [
        _case_score(result, label, rules.missing) for result, label in zip(part.stored, labels, strict=True)
    ]
    return Figure(average_precision(np.array(labels), np.array(scores, dtype=np.float64)))


def _case_score(result: _Stored, label: int, missing: Missing) -> float:
    if result.outcome != Outcome.SCORED:
        return absent_case_score(label, _filling(missing))
    if result.score is None:
        raise ValueError(f"{result.case} was scored, but has no score")
    return result.score


def _over_batches(part: _Part, rules: Rules, version: ScoringVersion) -> Figure:
    histograms = dict(part.histograms)
    for case in part.absent:
        found = histograms[case]
        histograms[case] = VoxelHistogram.absent(
            found.positive_voxels, found.negative_voxels, _filling(rules.missing)
        )
    arrangements = (
        [[list(histograms)]]
        if part.stage == "toy"
        else arrangements_of(version, part.manifest, part.task, rules.metric)
    )
    figures = [mean_over_batches(histograms, batches) for batches in arrangements]
    return Figure(figures[0], figures[1] if len(figures) > 1 else None)


def _filling(missing: Missing) -> Literal["zero", "worst"]:
    if missing == "reject":
        raise ValueError("no figure is computed from absent cases that the challenge rejects")
    return missing
