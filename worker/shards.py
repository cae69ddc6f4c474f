"""One shard: some cases of a task and dataset, one container, one result per case."""

import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from backend.models.challenge import DatasetVersion
from backend.models.run import Run
from backend.models.score import CaseResult
from challenges.spec import Challenge
from datasets.delivery import deliver
from datasets.manifest import Manifest
from submissions import container
from submissions.container import RunOutcome, Stop
from submissions.contract import Failure
from submissions.engine import EngineError
from submissions.output import Output
from submissions.sandbox import Job
from submissions.verdict import failure_of_run, unfinished_outcome
from worker import images
from worker.bench import Bench
from worker.collection import Collector
from worker.errors import Stopped
from worker.heartbeat import Heartbeat
from worker.keeping import Kept
from worker.leases import Lease
from worker.masks import MASKS, Masks

log = logging.getLogger(__name__)
PREDICTIONS = "predictions"


@dataclass(frozen=True)
class Ended:
    """How the container ended and what it left; `failure` None means well."""

    failure: Failure | None
    wall_seconds: float
    peak_memory: int | None
    log: str
    results: Sequence[CaseResult]


class Shard:
    """The cases of one run, from input folder to results. Names carry the run and its token.

    A worker that takes the run up again under the same token finds container, input and output as they were.
    """

    def __init__(self, bench: Bench, lease: Lease, run: Run, challenge: Challenge) -> None:
        self._bench, self._lease, self._run, self._challenge = bench, lease, run, challenge
        self._input = bench.work / f"{lease.job}.input"
        self._manifest = self._read_manifest()
        self.kept = Kept(bench.work / f"{lease.job}.kept", self._keeping_place())

    def evaluate(self, heart: Heartbeat) -> Ended:
        """Run the container and read what it left.

        Raises:
            Stopped: the run is not wanted any more, or is left to the next worker.
            Rejected: the engine refuses the image.
        """
        submission = self._run.submission
        if submission.image_id is None:
            raise ValueError(f"submission {submission.id} was never verified")
        images.ensure(self._bench, self._lease, submission, submission.image_id)
        job = self._job(submission.image_id, submission.image_volumes)
        output = self._bench.output(self._bench.engine, job, self._bench.work, log.warning)
        left = False
        try:
            return self._run_and_read(job, output, heart)
        except Stopped as stopped:
            left = stopped.reason is Stop.LEAVE
            raise
        finally:
            if not left:
                self._tidy_up(output)

    def _run_and_read(self, job: Job, output: Output, heart: Heartbeat) -> Ended:
        self._place_cases()
        outcome = container.run(self._bench.engine, job, output, lambda: self._why_stop(heart), adopt=True)
        if outcome.stopped is not None:
            raise Stopped(outcome.stopped)
        with output.files() as folder:
            results = self._collector(outcome).collect(folder)
        return Ended(
            failure_of_run(job, outcome),
            outcome.wall_seconds,
            outcome.peak_memory or None,
            outcome.log,
            results,
        )

    def _why_stop(self, heart: Heartbeat) -> Stop | None:
        return heart.stop or (Stop.LEAVE if self._bench.stopping() else None)

    def _tidy_up(self, output: Output) -> None:
        shutil.rmtree(self._input, ignore_errors=True)
        try:
            output.discard()
        except EngineError as error:
            # The results are not worse for it; the sweep comes back to what is left.
            log.warning(
                "%s: the output of %s stays for the sweep: %s", self._bench.slot, self._lease.job, error
            )

    def _place_cases(self) -> None:
        """The input folder, readable for the container's user; made anew unless it is complete.

        Its files are of one size and new, in the run's own order: see `datasets/delivery.py`.
        """
        images_by_case = {case.id: case.image for case in self._manifest.cases}
        self._input.mkdir(mode=0o755, exist_ok=True)
        self._input.chmod(0o755)
        for item in self._run.cases:
            target = self._input / item["name"]
            if not target.exists():
                blob = self._bench.blobs.ensure(images_by_case[item["id"]].sha256)
                deliver(blob, target, scratch=self._bench.work / f".{self._input.name}")

    def _job(self, image_id: str, volumes: list[str]) -> Job:
        entry = self._challenge.entry
        return Job(
            name=self._lease.job,
            image_id=image_id,
            command=entry.command_for(self._run.task, self._run.dataset),
            input_dir=self._input,
            input=entry.input,
            output=entry.output,
            limits=self._challenge.limits,
            cases=len(self._run.cases),
            labels={
                "run": str(self._lease.run_id),
                "token": str(self._lease.token),
                "slot": self._bench.slot,
            },
            image_volumes=volumes,
            gpu=self._bench.gpu if self._challenge.limits.gpu else None,
        )

    def _collector(self, outcome: RunOutcome) -> Collector:
        bench = self._bench
        keep = self._challenge.publication.keep_predictions and self._run.stage == "test"
        return Collector(
            self._run,
            self._challenge,
            self._manifest,
            bench.blobs,
            Masks(bench.blobs, bench.work / MASKS),
            unfinished_outcome(outcome),
            self.kept if keep else None,
        )

    def _keeping_place(self) -> Path:
        run = self._run
        folder = self._bench.platform.storage.scratch(PREDICTIONS)
        return folder / run.submission_id / run.task / run.dataset

    def _read_manifest(self) -> Manifest:
        query = select(DatasetVersion).where(
            DatasetVersion.challenge_id == self._challenge.id,
            DatasetVersion.name == self._run.dataset,
            DatasetVersion.version == self._run.dataset_version,
        )
        with self._bench.platform.database.read() as session:
            return session.scalars(query).one().manifest
