"""What follows what: verify → toy → (counted: test) → score → ranked or finished."""

from collections.abc import Iterable

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backend.models.challenge import DatasetVersion
from backend.models.run import Run
from backend.models.submission import Submission
from backend.queue import enqueue
from datasets.manifest import Case
from submissions.contract import scripts_of

_NEXT = {"verify": "toy", "test": "score"}
_LANE = {"verify": "toy", "toy": "toy", "test": "test", "score": "toy"}


def advance(session: Session, submission: Submission, rng: np.random.Generator) -> None:
    """Move on if every run of the current stage is done; the caller holds the submission's lock."""
    if submission.is_final or _unfinished(session, submission):
        return
    stage = _NEXT.get(submission.state) or _after(submission)
    if stage in ("ranked", "finished"):
        submission.move(session, stage, "scored")
        return
    submission.move(session, stage, f"{submission.state} done")
    _plan(session, submission, stage, rng)
    enqueue(session, _LANE[stage])


def _after(submission: Submission) -> str:
    counted = submission.kind == "counted"
    if submission.state == "toy":
        return "test" if counted else "score"
    return "ranked" if counted else "finished"


def _unfinished(session: Session, submission: Submission) -> int:
    query = select(func.count()).where(
        Run.submission_id == submission.id, Run.stage == submission.state, Run.state != "done"
    )
    return session.scalar(query) or 0


def _plan(session: Session, submission: Submission, stage: str, rng: np.random.Generator) -> None:
    if stage == "score":
        session.add(Run(submission_id=submission.id, stage=stage, lane=_LANE[stage]))
        return
    for task, dataset in pairs(submission):
        version = current_version(session, submission.challenge_id, dataset)
        cases = version.manifest.cases_of("toy" if stage == "toy" else "test", task)
        for number, shard in enumerate(_shards(cases, stage, submission, rng)):
            session.add(
                Run(
                    submission_id=submission.id,
                    stage=stage,
                    task=task,
                    dataset=dataset,
                    dataset_version=version.version,
                    shard=number,
                    cases=shard,
                    lane=_LANE[stage],
                    # In the toy lane, whoever only wants to try an image goes first.
                    priority=0 if submission.kind == "toy" else 1,
                )
            )


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
