"""One shard: some cases of a task and dataset, one container, one result per case."""

import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from backend.models.challenge import DatasetVersion
from backend.models.run import Run
from backend.models.score import CaseResult
from challenges.spec import Challenge
from datasets.manifest import Manifest
from submissions import container
from submissions.container import RunOutcome, Stop
from submissions.contract import Code, Failure, Outcome, explain_exit, failure, size_text
from submissions.output import Output, choose_output
from submissions.sandbox import Job
from worker import images
from worker.collection import Collector
from worker.errors import Stopped
from worker.heartbeat import Heartbeat
from worker.leases import Lease

if TYPE_CHECKING:
    from worker.evaluation import Bench

log = logging.getLogger(__name__)
WORK = "work"


@dataclass(frozen=True)
class Ended:
    """How the container ended; `failure` None means well."""

    failure: Failure | None
    wall_seconds: float
    peak_memory: int
    log: str


class Shard:
    """The cases of one run, from input folder to results. Names carry the run and its token.

    A worker that takes the run up again under the same token finds container, input and output as they were.
    """

    def __init__(self, bench: "Bench", lease: Lease, run: Run, challenge: Challenge) -> None:
        self._bench, self._run, self._challenge = bench, run, challenge
        self._name = job_name(lease)
        self._work = bench.platform.storage.scratch(WORK)
        self._input = self._work / f"{self._name}.input"
        self._manifest = self._read_manifest()

    def evaluate(self, heart: Heartbeat) -> tuple[Ended, list[CaseResult]]:
        """Run the container and read what it left.

        Raises:
            Stopped: the run is not wanted any more, or is left to the next worker.
            Rejected: the engine refuses the image.
        """
        submission = self._run.submission
        if submission.image_id is None:
            raise ValueError(f"submission {submission.id} was never verified")
        images.ensure(self._bench.engine, self._bench.blobs, submission, submission.image_id, self._work)
        self._place_cases()
        job = self._job(submission.image_id, submission.image_volumes)
        output = choose_output(self._bench.engine, job, self._work, log.warning)
        outcome = self._run_container(job, output, heart)
        try:
            if outcome.stopped is not None:
                raise Stopped(outcome.stopped.value)
            ended = self._ended(job, outcome)
            with output.files() as folder:
                return ended, self._collector(outcome, ended).collect(folder)
        finally:
            output.discard()
            shutil.rmtree(self._input, ignore_errors=True)

    def _run_container(self, job: Job, output: Output, heart: Heartbeat) -> RunOutcome:
        try:
            outcome = container.run(self._bench.engine, job, output, self._stop(heart), adopt=True)
        except BaseException:
            output.discard()
            raise
        if outcome.stopped is Stop.LEAVE:
            raise Stopped(Stop.LEAVE.value)
        return outcome

    def _stop(self, heart: Heartbeat) -> Callable[[], Stop | None]:
        def should_stop() -> Stop | None:
            if heart.stop is not None:
                return heart.stop
            return Stop.LEAVE if self._bench.stopping() else None

        return should_stop

    def _place_cases(self) -> None:
        """The input folder, readable for the container's user; made anew unless it is complete."""
        storage = self._bench.platform.storage
        images_by_case = {case.id: case.image for case in self._manifest.cases}
        self._input.mkdir(mode=0o755, exist_ok=True)
        self._input.chmod(0o755)
        for item in self._run.cases:
            target = self._input / item["name"]
            if not target.exists():
                digest = images_by_case[item["id"]].sha256
                self._bench.blobs.ensure(digest)
                storage.place(digest, target)

    def _job(self, image_id: str, volumes: list[str]) -> Job:
        entry = self._challenge.entry
        return Job(
            name=self._name,
            image_id=image_id,
            command=entry.command_for(self._run.task, self._run.dataset),
            input_dir=self._input,
            input=entry.input,
            output=entry.output,
            limits=self._challenge.limits,
            cases=len(self._run.cases),
            labels={"run": str(self._run.id), "slot": self._bench.slot},
            image_volumes=volumes,
            gpu=self._bench.gpu if self._challenge.limits.gpu else None,
        )

    def _ended(self, job: Job, outcome: RunOutcome) -> Ended:
        reason = None if outcome.succeeded else _reason(job, outcome)
        return Ended(reason, outcome.wall_seconds, outcome.peak_memory, outcome.log)

    def _collector(self, outcome: RunOutcome, ended: Ended) -> Collector:
        unfinished = None
        if ended.failure is not None:
            unfinished = Outcome.TIMED_OUT if outcome.timed_out else Outcome.CRASHED
        task = self._challenge.tasks[self._run.task]
        return Collector(
            self._run, task, self._challenge.entry, self._manifest, self._bench.blobs, unfinished
        )

    def _read_manifest(self) -> Manifest:
        query = select(DatasetVersion).where(
            DatasetVersion.challenge_id == self._challenge.id,
            DatasetVersion.name == self._run.dataset,
            DatasetVersion.version == self._run.dataset_version,
        )
        with self._bench.platform.database.read() as session:
            return session.scalars(query).one().manifest


def job_name(lease: Lease) -> str:
    """Name of the container, the volume and the folders of a run under one token."""
    return f"run-{lease.run_id}-{lease.token}"


def _reason(job: Job, outcome: RunOutcome) -> Failure:
    """What to tell about a container that did not end well, the most telling cause first."""
    limits = job.limits
    if outcome.timed_out:
        return failure(Code.TIMED_OUT, detail=outcome.cause, seconds=job.seconds, cases=job.cases)
    if outcome.out_of_memory:
        return failure(Code.OUT_OF_MEMORY, detail=outcome.cause, limit=size_text(limits.memory))
    if outcome.output_full:
        return failure(Code.OUTPUT_FULL, detail=outcome.cause, limit=size_text(job.output_bytes))
    if outcome.exit_code is None:
        return failure(Code.CRASHED, detail=outcome.cause)
    hint = explain_exit(outcome.exit_code)
    return failure(Code.CRASHED, detail=outcome.cause, exit_code=outcome.exit_code, hint=hint)
