"""Which files of storage belong to one toy result. No other case has any that a page may show."""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.errors import NotFound
from backend.models.run import Run
from backend.models.score import CaseResult
from backend.models.submission import Submission
from backend.results.service import toy_cases
from backend.storage import Storage


@dataclass(frozen=True)
class ToyFiles:
    """Where the parts of a toy case lie; `anomaly_map` None where the task has none."""

    image: Path
    mask: Path | None
    anomaly_map: Path | None

    def of(self, layer: str) -> Path:
        """The file of the layer `image`, `map` or `mask`.

        Raises:
            NotFound: this toy result has no such layer.
        """
        path = {"image": self.image, "map": self.anomaly_map, "mask": self.mask}[layer]
        if path is None:
            raise NotFound("no_such_layer", "This toy result has no such layer.")
        return path


def toy_files(
    session: Session, storage: Storage, submission: Submission, task: str, dataset: str, case_name: str
) -> ToyFiles:
    """The files behind the pictures of one toy result. The caller has checked who asks.

    Raises:
        NotFound: the submission has no such toy result.
    """
    run = select(Run.dataset_version).where(
        Run.submission_id == submission.id, Run.stage == "toy", Run.task == task, Run.dataset == dataset
    )
    cases = toy_cases(session, submission, dataset, session.scalar(run.limit(1)) or "")
    case = next((case for case in cases.values() if case.name == case_name), None)
    result = select(CaseResult).where(
        CaseResult.submission_id == submission.id,
        CaseResult.stage == "toy",
        CaseResult.task == task,
        CaseResult.dataset == dataset,
        CaseResult.case_id == (case.id if case else ""),
    )
    found = session.scalar(result)
    if case is None or found is None:
        raise NotFound("no_such_picture", "There is no such toy result.")
    return ToyFiles(
        image=storage.path(case.image.sha256),
        mask=storage.path(case.mask.sha256) if case.mask else None,
        anomaly_map=storage.path(found.view_sha256) if found.view_sha256 else None,
    )
