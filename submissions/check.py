"""Try an image on the toy cases as a worker would: the same validation, sandbox, reading and scoring.

Nothing is printed here; `submissions.cli` does that.

    inspection = inspect(kit.challenge, archive)
    with loaded(engine, archive, inspection.facts.id):
        for task, dataset in inspection.pairs():
            report = run_script(bench, inspection.facts, task, dataset)
"""

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal
from uuid import uuid4

from challenges.spec import Challenge, Task
from scoring.aggregate import absent_case_score, mean_over_batches
from scoring.average_precision import UndefinedMetric, average_precision
from scoring.histograms import VoxelHistogram
from scoring.objects import ObjectCounts
from scoring.report.study import Predictions
from submissions import container
from submissions.archive import ArchiveLimits, ArchiveRejected
from submissions.container import RunOutcome
from submissions.contract import Code, Failure, Outcome, failure, prediction_name, scripts_of
from submissions.engine import Engine, LoadRefused
from submissions.image import ImageFacts, inspect_archive, rewrite_without_tags
from submissions.kit import Kit
from submissions.objects import Sought
from submissions.output import Output, choose_output
from submissions.predictions import Rounding, count_voxel_scores, read_case_score
from submissions.sandbox import Job
from submissions.verdict import failure_of_cases, failure_of_run, unfinished_outcome


@dataclass(frozen=True)
class Bench:
    """What a check works with. `announce` is told, in one line each, where it differs from a worker."""

    engine: Engine
    kit: Kit
    announce: Callable[[str], None]
    gpu: str | None = None
    output_for: Callable[[Engine, Job, Path, Callable[[str], None]], Output] = choose_output


@dataclass(frozen=True)
class Inspection:
    """An accepted archive, and the entry scripts that it holds and lacks, by (task, dataset)."""

    facts: ImageFacts
    present: dict[tuple[str, str], str]
    lacking: dict[tuple[str, str], str]

    def pairs(self, task: str | None = None, dataset: str | None = None) -> list[tuple[str, str]]:
        """What can be run, of one task or dataset or of all.

        Raises:
            ArchiveRejected: the image has none of these scripts.
        """
        chosen = [pair for pair in self.present if task in (None, pair[0]) and dataset in (None, pair[1])]
        if not chosen:
            lacking = [
                script
                for pair, script in self.lacking.items()
                if task in (None, pair[0]) and dataset in (None, pair[1])
            ]
            raise ArchiveRejected(failure(Code.SCRIPT_MISSING, scripts=" and no ".join(lacking)))
        return chosen

    def incomplete(self, challenge: Challenge) -> dict[str, list[str]]:
        """By task, the scripts for want of which a counted submission would be refused."""
        lacking: dict[str, list[str]] = {}
        for (task, _), script in self.lacking.items() if challenge.counted.all_datasets else ():
            lacking.setdefault(task, []).append(script)
        return lacking


@dataclass(frozen=True)
class CaseReport:
    """What became of one toy case; `score` is a case-level prediction, clipped.

    `average_precision` is that of an abnormal case's voxels, as scored; `exact_average_precision` that of the
    scores as written, neither clipped nor rounded to float16. `warning` is there where they differ too much.
    """

    name: str
    outcome: Outcome
    detail: str = ""
    score: float | None = None
    average_precision: float | None = None
    exact_average_precision: float | None = None
    warning: str | None = None


@dataclass(frozen=True)
class ScriptReport:
    """One entry script, run on all toy cases of its dataset.

    `average_precision` is None where it is undefined, see `undefined_because`. `failure` is what a worker
    would end a toy submission with. Peak memory in bytes; wall time is the sum over containers. `predictions`
    is what a report is made from.
    """

    task: str
    dataset: str
    script: str
    cases: tuple[CaseReport, ...]
    average_precision: float | None
    undefined_because: str | None
    wall_seconds: float
    peak_memory: int
    log: str
    failure: Failure | None
    predictions: Predictions = field(repr=False, compare=False)

    @property
    def outcomes(self) -> dict[str, int]:
        """How many cases had each outcome."""
        return dict(Counter(case.outcome.value for case in self.cases))


@dataclass(frozen=True)
class _Scored:
    """A case with what its score is computed from: a label and a number, or counts of voxels and objects."""

    report: CaseReport
    label: int = 0
    number: float | None = None
    counts: VoxelHistogram | None = None
    objects: Mapping[float, ObjectCounts] = field(default_factory=dict)


def inspect(challenge: Challenge, archive: Path, progress: Callable[[int], None] | None = None) -> Inspection:
    """Check an archive as at verification; `progress` is told how many more bytes were read.

    Raises:
        ArchiveRejected: it would be refused; the exception says why.
    """
    scripts = scripts_of(challenge.entry, challenge.tasks, challenge.datasets)
    limits = ArchiveLimits.of(challenge.limits)
    facts = inspect_archive(archive, limits, look_for=list(scripts.values()), progress=progress)
    present = {pair: script for pair, script in scripts.items() if script in facts.found}
    return Inspection(facts, present, {pair: scripts[pair] for pair in scripts if pair not in present})


@contextmanager
def loaded(engine: Engine, archive: Path, image_id: str) -> Iterator[None]:
    """Have the image in the engine meanwhile; one that was there before stays.

    Raises:
        ArchiveRejected: the engine refuses it.
    """
    if engine.image_exists(image_id):
        yield
        return
    found = _load(engine, archive)
    try:
        if found != image_id:
            detail = f"loaded {found} where {image_id} was promised"
            raise ArchiveRejected(failure(Code.IMAGE_NOT_LOADABLE, detail=detail))
        yield
    finally:
        engine.remove_image(found)


def _load(engine: Engine, archive: Path) -> str:
    with tempfile.TemporaryDirectory(prefix="moodarena-") as folder:
        rewritten = Path(folder) / "image.tar"
        rewrite_without_tags(archive, rewritten)
        try:
            return engine.load(rewritten)
        except LoadRefused as refusal:
            raise ArchiveRejected(failure(Code.IMAGE_NOT_LOADABLE, detail=str(refusal))) from refusal


def run_script(bench: Bench, facts: ImageFacts, task: str, dataset: str) -> ScriptReport:
    """Run one entry script on the toy cases, in containers of as many cases as a worker's, and score it.

    Raises:
        KitError: a toy case or label is missing or damaged.
        EngineError: the engine failed, not the image.
    """
    challenge, toys = bench.kit.challenge, bench.kit.toys(dataset)
    size = challenge.limits.cases_per_container
    ends: list[tuple[RunOutcome, Failure | None]] = []
    scored: list[_Scored] = []
    for start in range(0, len(toys), size):
        ended, cause, cases = _run_container(bench, facts, task, dataset, toys[start : start + size])
        ends.append((ended, cause))
        scored += cases
    predictions = _predictions(scored)
    value, undefined = _figure(predictions, {case.report.name: case.label for case in scored})
    reports = tuple(case.report for case in scored)
    cause = next((cause for _, cause in ends if cause), None)
    return ScriptReport(
        task=task,
        dataset=dataset,
        script=challenge.entry.script_for(task, dataset),
        cases=reports,
        average_precision=value,
        undefined_because=undefined,
        wall_seconds=sum(ended.wall_seconds for ended, _ in ends),
        peak_memory=max(ended.peak_memory for ended, _ in ends),
        log="".join(ended.log for ended, _ in ends),
        failure=cause or failure_of_cases([(case.name, case.outcome, case.detail) for case in reports]),
        predictions=predictions,
    )


def _run_container(
    bench: Bench, facts: ImageFacts, task: str, dataset: str, toys: Sequence[Path]
) -> tuple[RunOutcome, Failure | None, list[_Scored]]:
    engine = bench.engine
    with tempfile.TemporaryDirectory(prefix="moodarena-") as scratch:
        job = _job(bench, facts, task, dataset, _staged(toys, Path(scratch) / "input"))
        output = bench.output_for(engine, job, Path(scratch), bench.announce)
        try:
            ended = container.run(engine, job, output)
            with output.files() as folder:
                outcome = unfinished_outcome(ended)
                cases = [_read(bench.kit, folder, task, dataset, toy.name, outcome) for toy in toys]
        finally:
            # Also after Ctrl-C, which leaves the container running.
            engine.remove(engine.container_name(job.name))
            output.discard()
    return ended, failure_of_run(job, ended), cases


def _staged(toys: Sequence[Path], folder: Path) -> Path:
    """A copy of the cases that the container's user may read, whatever the modes of the originals."""
    folder.mkdir()
    folder.chmod(0o755)
    for toy in toys:
        copy = Path(shutil.copyfile(toy, folder / toy.name))
        copy.chmod(0o644)
    return folder


def _job(bench: Bench, facts: ImageFacts, task: str, dataset: str, cases: Path) -> Job:
    entry = bench.kit.challenge.entry
    return Job(
        name=f"{task}-{dataset}-{uuid4().hex[:12]}",
        image_id=facts.id,
        command=entry.command_for(task, dataset),
        input_dir=cases,
        input=entry.input,
        output=entry.output,
        limits=bench.kit.challenge.limits,
        cases=len(list(cases.iterdir())),
        image_volumes=facts.volumes,
        gpu=bench.gpu,
    )


def _read(kit: Kit, folder: Path, task: str, dataset: str, case: str, unfinished: Outcome | None) -> _Scored:
    about, entry = kit.challenge.tasks[task], kit.challenge.entry
    if about.level == "case":
        return _read_number(kit, folder, about, dataset, case, unfinished)
    mask, sought = kit.mask(dataset, case), Sought.by(kit.challenge, task, dataset)
    reading = count_voxel_scores(
        folder,
        prediction_name(entry.voxel_prediction, case),
        mask,
        thresholds=sought.thresholds,
        objects=sought.rule,
        exact=True,
    )
    if reading.outcome is Outcome.SCORED:
        count = reading.voxels
        report = _rounded(CaseReport(case, Outcome.SCORED), reading.rounding)
        return _Scored(report, counts=count.histogram, objects=count.objects)
    report = CaseReport(case, _told(reading.outcome, unfinished), reading.detail)
    policy: Literal["zero", "worst"] = "worst" if about.missing == "worst" else "zero"
    absent = VoxelHistogram.absent(mask.positive_voxels, mask.negative_voxels, policy)
    return _Scored(report, counts=absent, objects=sought.overlooked(mask))


def _rounded(report: CaseReport, told: Rounding | None) -> CaseReport:
    if told is None:
        return report
    return replace(
        report,
        average_precision=told.average_precision,
        exact_average_precision=told.exact_average_precision,
        warning=told.collapse,
    )


def _read_number(
    kit: Kit, folder: Path, about: Task, dataset: str, case: str, unfinished: Outcome | None
) -> _Scored:
    reading = read_case_score(folder, prediction_name(kit.challenge.entry.case_prediction, case))
    label = kit.label(dataset, case)
    if reading.outcome is Outcome.SCORED:
        number = min(max(reading.number, about.clip[0]), about.clip[1])
        return _Scored(CaseReport(case, Outcome.SCORED, "", number), label, number)
    absent = absent_case_score(label, "worst" if about.missing == "worst" else "zero")
    outcome = _told(reading.outcome, unfinished)
    return _Scored(CaseReport(case, outcome, reading.detail), label, absent)


def _told(outcome: Outcome, unfinished: Outcome | None) -> Outcome:
    """A case without output crashed or timed out with its container, and is missing otherwise."""
    return unfinished if outcome is Outcome.MISSING and unfinished is not None else outcome


def _predictions(scored: Sequence[_Scored]) -> Predictions:
    return Predictions(
        outcomes={case.report.name: case.report.outcome.value for case in scored},
        scores={case.report.name: case.number for case in scored if case.number is not None},
        histograms={case.report.name: case.counts for case in scored if case.counts is not None},
        objects={case.report.name: case.objects for case in scored if case.objects},
    )


def _figure(found: Predictions, labels: Mapping[str, int]) -> tuple[float | None, str | None]:
    """Average precision over all toy cases, and why there is none."""
    try:
        if found.scores:
            return average_precision(
                [labels[case] for case in found.scores], list(found.scores.values())
            ), None
        return mean_over_batches(found.histograms, [list(found.histograms)]), None
    except UndefinedMetric as error:
        return None, str(error)
