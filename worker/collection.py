"""From the files that a container left to one result per case."""

import gzip
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray

from backend.models.run import Run
from backend.models.score import CaseResult
from challenges.spec import Challenge
from datasets.manifest import Case, Manifest
from scoring.histograms import VoxelHistogram
from scoring.masks import Mask
from scoring.objects import ObjectCounts
from submissions.contract import Outcome, prediction_name
from submissions.objects import Sought
from submissions.predictions import Reading, count_voxel_scores, read_case_score
from worker.blobs import Blobs
from worker.keeping import Kept
from worker.masks import Masks


class Collector:
    """Reads and scores the predictions of one run.

    `unfinished` is the outcome of cases without output when the container did not end well: crashed or
    timed_out; None when it did, and then they are missing. What is scored is copied to `kept`, if given,
    under the name that it would have if the input had been named by the case's id.
    """

    def __init__(
        self,
        run: Run,
        challenge: Challenge,
        manifest: Manifest,
        blobs: Blobs,
        masks: Masks,
        unfinished: Outcome | None = None,
        kept: Kept | None = None,
    ) -> None:
        self._run, self._entry, self._task = run, challenge.entry, challenge.tasks[run.task]
        self._blobs, self._masks, self._unfinished, self._kept = blobs, masks, unfinished, kept
        self._cases = {case.id: case for case in manifest.cases}
        self._sought = Sought.by(challenge, run.task, run.dataset)

    def collect(self, directory: Path) -> list[CaseResult]:
        """One result for every case of the run; no case is left out."""
        by_voxel = self._task.level == "voxel"
        read = self._voxels if by_voxel else self._number
        template = self._entry.voxel_prediction if by_voxel else self._entry.case_prediction
        results = []
        for item in self._run.cases:
            file_name = prediction_name(template, item["name"])
            result = read(self._cases[item["id"]], directory, file_name)
            if self._kept is not None and result.outcome == Outcome.SCORED:
                name = prediction_name(template, f"{item['id']}.nii.gz")
                self._kept.copy(directory / file_name, name)
            results.append(result)
        return results

    def _number(self, case: Case, directory: Path, file_name: str) -> CaseResult:
        reading = read_case_score(directory, file_name)
        result = self._result(case, reading)
        if reading.outcome is Outcome.SCORED:
            low, high = self._task.clip
            result.score = min(max(reading.number, low), high)
        return result

    def _voxels(self, case: Case, directory: Path, file_name: str) -> CaseResult:
        toy, mask = self._run.stage == "toy", self._masks.of(case)
        reading = count_voxel_scores(
            directory,
            file_name,
            mask,
            thresholds=self._sought.thresholds,
            objects=self._sought.rule,
            view=toy,
            exact=toy,
        )
        result = self._result(case, reading)
        if reading.outcome is not Outcome.SCORED:
            return self._absent(result, mask)
        count = reading.voxels
        result.statistic = count.histogram.to_bytes()
        result.figures = {"distinct": count.distinct, **_objects(count.objects)}
        if toy:
            result.figures |= _rounding(reading)
        if count.view is not None:
            result.view_sha256 = self._blobs.publish(_volume(count.view))
        return result

    def _absent(self, result: CaseResult, mask: Mask) -> CaseResult:
        """All voxels at level 0, all objects overlooked: a policy is applied when figures are computed."""
        absent = VoxelHistogram.absent(mask.positive_voxels, mask.negative_voxels, "zero")
        result.statistic = absent.to_bytes()
        result.figures = _objects(self._sought.overlooked(mask))
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


def _objects(counts: Mapping[float, ObjectCounts]) -> dict[str, Any]:
    return {"objects": {str(threshold): list(found) for threshold, found in counts.items()}} if counts else {}


def _rounding(reading: Reading) -> dict[str, Any]:
    """What participants are told of their toy cases; None of normal ones, which have no average precision."""
    told = reading.rounding
    return {
        "average_precision": told and told.average_precision,
        "exact_average_precision": told and told.exact_average_precision,
        "collapse": told and told.collapse,
    }


def _volume(view: NDArray[np.uint8]) -> bytes:
    """A uint8 copy of an anomaly map for pages, gzip'd NIfTI."""
    return gzip.compress(nibabel.Nifti1Image(view, np.eye(4)).to_bytes(), compresslevel=4, mtime=0)
