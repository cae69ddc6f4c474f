"""From the files that a container left to one result per case."""

import gzip
from pathlib import Path

import nibabel
import numpy as np
from numpy.typing import NDArray

from backend.models.run import Run
from backend.models.score import CaseResult
from challenges.spec import Entry, Task
from datasets import volume
from datasets.manifest import Case, Manifest
from scoring.histograms import absent_histogram, voxel_histogram
from submissions.contract import Outcome, prediction_name
from submissions.predictions import Reading, read_case_score, read_voxel_scores
from worker.blobs import Blobs
from worker.keeping import Kept


class Collector:
    """Reads and scores the predictions of one run.

    `unfinished` is the outcome of cases without output when the container did not end well: crashed or
    timed_out; None when it did, and then they are missing. What is scored is copied to `kept`, if given,
    under the name that it would have if the input had been named by the case's id.
    """

    def __init__(
        self,
        run: Run,
        task: Task,
        entry: Entry,
        manifest: Manifest,
        blobs: Blobs,
        unfinished: Outcome | None = None,
        kept: Kept | None = None,
    ) -> None:
        self._run, self._task, self._entry, self._manifest = run, task, entry, manifest
        self._blobs, self._unfinished, self._kept = blobs, unfinished, kept
        self._cases = {case.id: case for case in manifest.cases}

    def collect(self, directory: Path) -> list[CaseResult]:
        """One result for every case of the run; no case is left out."""
        return [self._case(directory, self._cases[item["id"]], item["name"]) for item in self._run.cases]

    def _case(self, directory: Path, case: Case, name: str) -> CaseResult:
        by_voxel = self._task.level == "voxel"
        template = self._entry.voxel_prediction if by_voxel else self._entry.case_prediction
        file_name = prediction_name(template, name)
        if by_voxel:
            reading = read_voxel_scores(directory, file_name, self._manifest.shape)
        else:
            reading = read_case_score(directory, file_name)
        if self._kept is not None and reading.outcome is Outcome.SCORED:
            self._kept.copy(directory / file_name, prediction_name(template, f"{case.id}.nii.gz"))
        return self._voxels(case, reading) if by_voxel else self._number(case, reading)

    def _number(self, case: Case, reading: Reading) -> CaseResult:
        result = self._result(case, reading)
        if reading.outcome is Outcome.SCORED:
            low, high = self._task.clip
            result.score = min(max(reading.number, low), high)
        return result

    def _voxels(self, case: Case, reading: Reading) -> CaseResult:
        result = self._result(case, reading)
        mask = self._mask(case)
        if reading.outcome is not Outcome.SCORED:
            policy = "zero" if self._task.missing == "reject" else self._task.missing
            result.statistic = absent_histogram(mask, policy).to_bytes()
            return result
        result.statistic = voxel_histogram(reading.voxels, mask).to_bytes()
        if self._run.stage == "toy":
            result.view_sha256 = self._blobs.publish(_view(reading.voxels))
        return result

    def _result(self, case: Case, reading: Reading) -> CaseResult:
        outcome = reading.outcome
        if outcome is Outcome.MISSING and self._unfinished is not None:
            outcome = self._unfinished
        return CaseResult(
            run_id=self._run.id,
            submission_id=self._run.submission_id,
            stage=self._run.stage,
            task=self._run.task,
            dataset=self._run.dataset,
            case_id=case.id,
            outcome=outcome.value,
            detail=reading.detail,
        )

    def _mask(self, case: Case) -> NDArray[np.bool_]:
        if case.mask is None:
            raise ValueError(
                f"case {case.id} serves the task {self._run.task} but has no mask; build the dataset again"
            )
        return volume.read(self._blobs.ensure(case.mask.sha256)).data > 0.5


def _view(scores: NDArray[np.floating]) -> bytes:
    """A uint8 copy of an anomaly map for pages: [0, 1] as 0 to 255, gzip'd NIfTI."""
    levels = np.round(np.clip(scores, 0, 1) * 255).astype(np.uint8)
    return gzip.compress(nibabel.Nifti1Image(levels, np.eye(4)).to_bytes(), compresslevel=4, mtime=0)
