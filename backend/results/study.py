"""A study from the database: the board's entries with their stored statistics, under one scoring version."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import cbrt, pi, prod
from typing import Any, Literal

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, defer

from backend.challenges import service as challenges
from backend.db import Database
from backend.models.challenge import Challenge, DatasetVersion
from backend.models.run import Run
from backend.models.score import CaseResult
from backend.models.scoring import ScoringVersion
from backend.models.submission import Submission
from backend.results import versions
from backend.results.arrangements import arrangements_of
from backend.results.leaderboard import entries_of
from backend.results.versions import Rules
from challenges import spec
from datasets.manifest import Case
from scoring.aggregate import absent_case_score
from scoring.histograms import VoxelHistogram
from scoring.report.study import (
    AnalysisSet,
    CaseFacts,
    Entrant,
    Part,
    Predictions,
    Study,
    TaskStudy,
    filling,
)
from submissions.contract import Outcome

Stage = Literal["toy", "test"]
Volumes = dict[str, int]
"""Positive voxels by case id."""


@dataclass(frozen=True)
class StoredHistograms(Mapping[str, VoxelHistogram]):
    """Histograms by case id, decoded whenever they are asked for: all of a challenge would fill the memory.

    What is `absent` counts by the policy.
    """

    statistics: Mapping[str, bytes]
    absent: frozenset[str]
    missing: spec.Missing

    def __getitem__(self, case: str) -> VoxelHistogram:
        found = VoxelHistogram.from_bytes(self.statistics[case])
        if case not in self.absent:
            return found
        return VoxelHistogram.absent(found.positive_voxels, found.negative_voxels, filling(self.missing))

    def __iter__(self) -> Iterator[str]:
        return iter(self.statistics)

    def __len__(self) -> int:
        return len(self.statistics)


class ResultsGone(Exception):
    """What is stored of a case was removed or replaced since a study was gathered."""


@dataclass(frozen=True)
class FetchedStatistics(Mapping[str, bytes]):
    """Statistics by case id, each fetched whenever it is asked for: those of many entrants are large.

    Raises `ResultsGone` for one that is not there any more.
    """

    database: Database
    rows: Mapping[str, int]

    def __getitem__(self, case: str) -> bytes:
        query = select(CaseResult.statistic).where(CaseResult.id == self.rows[case])
        with self.database.read() as session:
            found = session.scalar(query)
        if found is None:
            raise ResultsGone(case)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


def study_of(
    session: Session, challenge: Challenge, number: int | None = None, fetching: Database | None = None
) -> Study:
    """Everything that a report is made from; `number` is that of a scoring version, the current one if None.

    With `fetching` voxel statistics are read one by one when they are needed, and not held in memory.

    Raises:
        NotFound: there is no such scoring version.
    """
    current = versions.current(session, challenge.id)
    version = current if number is None else versions.numbered(session, challenge.id, number)
    spec_, built = challenge.spec, challenges.current_versions(session, challenge.id)
    datasets = [found for name in spec_.datasets for found in built if found.name == name]
    gathered = _Gathering(session, challenge, version, datasets, fetching)
    tasks = [name for name in spec_.tasks if name in version.policy]
    return Study(
        challenge=challenge.id,
        title=spec_.title,
        scoring_version=version.number,
        tasks=[gathered.task(name) for name in tasks],
        failures={name: failures_of(session, challenge.id, name) for name in tasks},
        bootstraps=spec_.ranking.bootstraps,
        seed=spec_.ranking.seed,
    )


def hidden_parts(
    session: Session, challenge: Challenge, task: str, entries: Sequence[Submission]
) -> list[Part]:
    """The hidden cases of a task by dataset, with the predictions of everybody among the entries."""
    version = versions.current(session, challenge.id)
    built = challenges.current_versions(session, challenge.id)
    datasets = [one for one in built if one.name in challenge.spec.datasets]
    gathered = _Gathering(session, challenge, version, datasets)
    return gathered._parts(task, "test", entries)


def failures_of(session: Session, challenge_id: str, task: str) -> dict[str, int]:
    """Failed counted submissions of a task by code."""
    query = (
        select(Submission.failure_code, func.count())
        .where(
            Submission.challenge_id == challenge_id,
            Submission.task == task,
            Submission.kind == "counted",
            Submission.state == "failed",
        )
        .group_by(Submission.failure_code)
    )
    return {code or "platform": count for code, count in session.execute(query).all()}


def protocol_of(challenge: spec.Challenge, task: str, rules: Rules) -> dict[str, Any]:
    """How a task is scored and ranked, as in the YAML, by the rules of a scoring version."""
    return {
        **challenge.tasks[task].model_dump(mode="json", include={"level", "precision", "clip"}),
        "missing": rules.missing,
        "metric": rules.metric.model_dump(mode="json"),
        "ranking": challenge.ranking.model_dump(mode="json", include={"ties", "consensus"}),
        "counts": challenge.counted.counts,
        "decimals": challenge.publication.decimals,
    }


@dataclass(frozen=True)
class _Gathering:
    session: Session
    challenge: Challenge
    version: ScoringVersion
    datasets: Sequence[DatasetVersion]
    fetching: Database | None = None

    @cached_property
    def rules(self) -> dict[str, Rules]:
        return versions.rules_of(self.version.policy)

    @cached_property
    def entries(self) -> dict[str, list[Submission]]:
        return {task: entries_of(self.session, self.challenge, task) for task in self.challenge.spec.tasks}

    @cached_property
    def facts(self) -> dict[str, dict[str, CaseFacts]]:
        """What is known of all cases but those for training, by dataset and id."""
        found = {}
        for dataset in self.datasets:
            spacing = self.challenge.spec.datasets[dataset.name].spacing_mm
            volumes = self._volumes(dataset)
            cases = [case for case in dataset.manifest.cases if case.part != "training"]
            found[dataset.name] = {case.id: facts_of(case, spacing, volumes.get(case.id)) for case in cases}
        return found

    def task(self, name: str) -> TaskStudy:
        about, entries = self.challenge.spec.tasks[name], self.entries[name]
        return TaskStudy(
            slug=name,
            title=about.title,
            level=about.level,
            protocol=protocol_of(self.challenge.spec, name, self.rules[name]),
            entrants=[
                Entrant(entry.team.name, entry.id, entry.image_id, entry.team.baseline) for entry in entries
            ],
            test=self._parts(name, "test", entries),
            toy=self._parts(name, "toy", entries),
            analysis=[one for dataset in self.datasets for one in self._analysis(name, dataset, entries)],
        )

    def _parts(self, task: str, stage: Stage, entries: Sequence[Submission]) -> list[Part]:
        parts = [self._part(task, dataset, stage, entries) for dataset in self.datasets]
        return [part for part in parts if part.cases]

    def _part(self, task: str, dataset: DatasetVersion, stage: Stage, entries: Sequence[Submission]) -> Part:
        manifest, by_voxel = dataset.manifest, self.challenge.spec.tasks[task].level == "voxel"
        cases = manifest.cases_of(stage, task)
        arrangements: list[list[list[str]]] = []
        if by_voxel and stage == "toy":
            arrangements = [[[case.id for case in cases]]]
        elif by_voxel:
            arrangements = arrangements_of(self.version, manifest, task, self.rules[task].metric)
        predictions = {
            entry.id: found
            for entry in entries
            if (found := self._predictions(entry, stage, task, dataset)) is not None
        }
        facts = self.facts[dataset.name]
        return Part(
            dataset.name, dataset.version, [facts[case.id] for case in cases], arrangements, predictions
        )

    def _analysis(
        self, task: str, dataset: DatasetVersion, entries: Sequence[Submission]
    ) -> Iterator[AnalysisSet]:
        """The dataset's analysis sets that have cases of the task; entries lack what was not run yet."""
        by_voxel, facts = self.challenge.spec.tasks[task].level == "voxel", self.facts[dataset.name]
        labels = {case.id: case.label or 0 for case in dataset.manifest.cases}
        predictions = {
            entry.id: predictions_of(results, labels, self.rules[task].missing, self.fetching)
            for entry in entries
            if (results := analysis_results(self.session, entry.id, task, dataset, bool(self.fetching)))
        }
        for name, of_set in dataset.manifest.analysis_sets().items():
            if found := [facts[case.id] for case in of_set if task in case.tasks]:
                batches = [[[case.id for case in found]]] if by_voxel else []
                yield AnalysisSet(name, Part(dataset.name, dataset.version, found, batches, predictions))

    def _predictions(
        self, entry: Submission, stage: str, task: str, dataset: DatasetVersion
    ) -> Predictions | None:
        """None where the submission has no results on this version of the dataset."""
        results = stored_results(self.session, entry.id, stage, task, dataset, bool(self.fetching))
        labels = {case.id: case.label or 0 for case in dataset.manifest.cases}
        missing = self.rules[task].missing
        return predictions_of(results, labels, missing, self.fetching) if results else None

    def _volumes(self, dataset: DatasetVersion) -> Volumes:
        """Positive voxels of the cases that a voxel task of anybody counted; they belong to the masks."""
        found: Volumes = {}
        for task, about in self.challenge.spec.tasks.items():
            entry = next(iter(self.entries[task]), None)
            if about.level == "voxel" and entry is not None:
                for stage in ("toy", "test"):
                    for result in stored_results(self.session, entry.id, stage, task, dataset):
                        if result.statistic is not None:
                            found[result.case_id] = VoxelHistogram.from_bytes(
                                result.statistic
                            ).positive_voxels
        return found


def stored_results(
    session: Session,
    submission: str,
    stage: str,
    task: str,
    dataset: DatasetVersion,
    without_statistics: bool = False,
) -> Sequence[CaseResult]:
    """What is stored of a submission on one version of a dataset, by case id; empty if it ran on another.

    Statistics may be left out: they are then read from the database once somebody asks for them.
    """
    versions_run = select(Run.dataset_version).where(
        Run.submission_id == submission,
        Run.stage == stage,
        Run.task == task,
        Run.dataset == dataset.name,
        Run.state == "done",
    )
    if set(session.scalars(versions_run)) != {dataset.version}:
        return []
    query = select(CaseResult).where(
        CaseResult.submission_id == submission,
        CaseResult.stage == stage,
        CaseResult.task == task,
        CaseResult.dataset == dataset.name,
    )
    return _by_case(session, query, without_statistics)


def analysis_results(
    session: Session,
    submission: str,
    task: str,
    dataset: DatasetVersion,
    without_statistics: bool = False,
) -> Sequence[CaseResult]:
    """What is stored so far of a submission on the analysis sets of one version of a dataset, by case id."""
    query = (
        select(CaseResult)
        .join(Run, Run.id == CaseResult.run_id)
        .where(
            CaseResult.submission_id == submission,
            CaseResult.stage == "analysis",
            CaseResult.task == task,
            CaseResult.dataset == dataset.name,
            Run.dataset_version == dataset.version,
        )
    )
    return _by_case(session, query, without_statistics)


def _by_case(session: Session, query: Select[CaseResult], without_statistics: bool) -> Sequence[CaseResult]:
    options = [defer(CaseResult.statistic)] if without_statistics else []
    return session.scalars(query.options(*options).order_by(CaseResult.case_id)).all()


def predictions_of(
    results: Sequence[CaseResult],
    labels: Mapping[str, int],
    missing: spec.Missing,
    fetching: Database | None = None,
) -> Predictions:
    """Stored results as predictions, the policy for absent cases applied."""
    absent = frozenset(result.case_id for result in results if result.outcome != Outcome.SCORED)
    statistics = _statistics(results, fetching)
    scores = {
        result.case_id: absent_case_score(labels[result.case_id], filling(missing))
        if result.case_id in absent
        else result.score
        for result in results
        if not statistics
    }
    return Predictions(
        outcomes={result.case_id: result.outcome for result in results},
        scores={case: score for case, score in scores.items() if score is not None},
        histograms=StoredHistograms(statistics, absent, missing),
        objects={result.case_id: objects_of(result.figures) for result in results if result.figures},
    )


def _statistics(results: Sequence[CaseResult], fetching: Database | None) -> Mapping[str, bytes]:
    if fetching is None:
        return {result.case_id: result.statistic for result in results if result.statistic is not None}
    by_id = {result.id: result.case_id for result in results}
    there = select(CaseResult.id).where(CaseResult.id.in_(by_id), CaseResult.statistic.is_not(None))
    with fetching.read() as session:
        return FetchedStatistics(fetching, {by_id[found]: found for found in session.scalars(there)})


def objects_of(figures: Mapping[str, Any]) -> dict[float, tuple[int, int, int]]:
    """Counted objects by threshold, as stored with a case."""
    counted: dict[str, list[int]] = figures.get("objects") or {}
    return {float(cut): (found, false, lost) for cut, (found, false, lost) in counted.items()}


def facts_of(case: Case, spacing_mm: tuple[float, float, float], voxels: int | None) -> CaseFacts:
    """What is known of a case; its volume from the mask's `voxels`, or from what it was made with."""
    counted = float(voxels) if voxels else voxels_of(case.parameters)
    intensity, difficulty = case.parameters.get("intensity"), case.parameters.get("difficulty")
    return CaseFacts(
        id=case.id,
        label=case.label or 0,
        category=case.category,
        kind=case.kind,
        difficulty=None if difficulty is None else str(difficulty),
        size=counted * prod(spacing_mm) if case.label and counted else None,
        contrast=float(intensity) if case.label and isinstance(intensity, int | float) else None,
        radius=_radius_of(case, spacing_mm),
    )


def _radius_of(case: Case, spacing_mm: tuple[float, float, float]) -> float | None:
    """Of the sphere of a series, which has its radius in voxels, in mm: that of a ball of the same volume."""
    if case.analysis not in ("size-series", "contrast-series"):
        return None
    return float(case.parameters["radius"]) * cbrt(prod(spacing_mm))


def voxels_of(parameters: Mapping[str, Any]) -> float | None:
    """How many voxels an anomaly has by its parameters: a ball, an ellipsoid, a box; None for others."""
    match parameters:
        case {"radius": int() | float() as radius}:
            return 4 / 3 * pi * float(radius) ** 3
        case {"radii": [_, _, _] as radii}:
            return 4 / 3 * pi * prod(map(float, radii))
        case {"size": [_, _, _] as size}:
            return float(prod(size))
    return None
