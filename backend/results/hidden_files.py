"""Which files of storage belong to a hidden case, and which anomaly maps of it were kept.

They are for organizers only. Whoever calls this has made sure who asks; nothing here looks at that.
"""

import gzip
from pathlib import Path

import nibabel
import numpy as np
from sqlalchemy.orm import Session

from backend.challenges import service as challenges
from backend.errors import NotFound
from backend.models.challenge import Challenge
from backend.results.toy_files import ToyFiles
from backend.storage import Storage
from datasets import volume
from datasets.manifest import Case
from datasets.volume import write_bytes
from scoring.masks import Mask
from submissions.contract import Outcome, prediction_name
from submissions.predictions import count_voxel_scores

PREDICTIONS = "predictions"  # the folder where workers put predictions that a challenge keeps
VIEWS = "views"


def hidden_case(session: Session, challenge: Challenge, task: str, dataset: str, case: str) -> Case:
    """A test case of the current version of a dataset.

    Raises:
        NotFound: there is no such test case of this task.
    """
    versions = {one.name: one for one in challenges.current_versions(session, challenge.id)}
    cases = versions[dataset].manifest.cases_of("test", task) if dataset in versions else []
    found = next((one for one in cases if one.id == case), None)
    if found is None:
        raise NotFound("no_such_case", "This task has no such test case.")
    return found


def hidden_files(
    storage: Storage, challenge: Challenge, task: str, dataset: str, case: Case, submission: str = ""
) -> ToyFiles:
    """The files behind the pictures of a hidden case: scan, truth, and a submission's map if it is kept."""
    mask = storage.path(case.mask.sha256) if case.mask else None
    kept = kept_map(storage, challenge, task, dataset, case, submission) if submission and mask else None
    return ToyFiles(storage.path(case.image.sha256), mask, kept)


def kept_prediction(
    storage: Storage, challenge: Challenge, task: str, dataset: str, case: Case, submission: str
) -> Path | None:
    """Where the anomaly map of a submission lies, if workers of this machine kept it."""
    if challenge.spec.tasks[task].level != "voxel" or not submission.isalnum():
        return None
    name = prediction_name(challenge.spec.entry.voxel_prediction, f"{case.id}.nii.gz")
    path = storage.root / PREDICTIONS / submission / task / dataset / name
    return path if path.is_file() else None


def kept_map(
    storage: Storage, challenge: Challenge, task: str, dataset: str, case: Case, submission: str
) -> Path | None:
    """A copy of a kept anomaly map with 256 levels, made when it is first asked for; None if none is kept.

    The prediction is a stranger's file: it is read with the suspicion with which it was scored.
    """
    kept = kept_prediction(storage, challenge, task, dataset, case, submission)
    if kept is None or case.mask is None:
        return None
    view = (
        storage.scratch(VIEWS)
        / f"kept-{submission}-{case.image.sha256[:32]}-{kept.stat().st_mtime_ns}.nii.gz"
    )
    if not view.is_file():
        mask = Mask.of(volume.read(storage.path(case.mask.sha256)).data > 0.5)
        reading = count_voxel_scores(kept.parent, kept.name, mask, view=True)
        if reading.outcome is not Outcome.SCORED or (levels := reading.voxels.view) is None:
            return None
        write_bytes(view, gzip.compress(nibabel.Nifti1Image(levels, np.eye(4)).to_bytes(), 4, mtime=0))
    return view
