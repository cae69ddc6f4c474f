"""Which runs a submission's image is put to: cases cut into containers, from the current datasets."""

from collections.abc import Iterable

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.models.challenge import DatasetVersion
from backend.models.run import Run
from backend.models.submission import Submission
from challenges.spec import Part
from datasets.manifest import Case
from submissions.contract import scripts_of

LANE = {"verify": "toy", "toy": "toy", "test": "test", "score": "toy", "analysis": "test"}
_PART: dict[str, Part] = {"toy": "toy", "test": "test", "analysis": "analysis"}
LAST = 100
"""The priority of what never counts: everybody's runs that do are claimed before."""


def pairs(submission: Submission) -> list[tuple[str, str]]:
    """The (task, dataset) pairs that the submission's image is run on."""
    spec = submission.challenge.spec
    tasks = [submission.task] if submission.task else list(spec.tasks)
    wanted = scripts_of(spec.entry, tasks, spec.datasets)
    return [pair for pair, script in wanted.items() if script in submission.scripts]


def current_version(session: Session, challenge_id: str, dataset: str) -> DatasetVersion:
    """The version of a dataset that runs are made from."""
    query = select(DatasetVersion).where(
        DatasetVersion.challenge_id == challenge_id, DatasetVersion.name == dataset, DatasetVersion.current
    )
    return session.scalars(query).one()


def runs_on(
    submission: Submission, version: DatasetVersion, stage: str, task: str, rng: np.random.Generator
) -> list[Run]:
    """The runs of one stage, `toy`, `test` or `analysis`, on one dataset in one task; none without cases."""
    cases = version.manifest.cases_of(_PART[stage], task)
    return [
        Run(
            submission_id=submission.id,
            stage=stage,
            task=task,
            dataset=version.name,
            dataset_version=version.version,
            shard=number,
            cases=shard,
            lane=LANE[stage],
            priority=_priority(submission, stage),
        )
        for number, shard in enumerate(_shards(cases, stage, submission, rng))
    ]


def _priority(submission: Submission, stage: str) -> int:
    if stage == "analysis":
        return LAST
    # In the toy lane, whoever only wants to try an image goes first.
    return 0 if submission.kind == "toy" else 1


def _shards(
    cases: Iterable[Case], stage: str, submission: Submission, rng: np.random.Generator
) -> list[list[dict[str, str]]]:
    """Cases cut into containers. Hidden cases are shuffled, under names that say nothing and never recur."""
    chosen = list(cases)
    if stage == "toy":
        named = [{"id": case.id, "name": case.name} for case in chosen]
    else:
        named = [
            {"id": chosen[int(position)].id, "name": f"{rng.bytes(8).hex()}.nii.gz"}
            for position in rng.permutation(len(chosen))
        ]
    size = submission.challenge.spec.limits.cases_per_container
    return [named[start : start + size] for start in range(0, len(named), size)]
