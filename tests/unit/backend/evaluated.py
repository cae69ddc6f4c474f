"""Counted submissions with results of every hidden case, as workers leave them."""

from collections.abc import Collection
from typing import Any

import numpy as np

from backend.models.challenge import DatasetVersion
from backend.models.run import Run
from backend.models.score import CaseResult
from backend.models.submission import Submission
from backend.models.user import User
from backend.results import rescoring
from scoring.histograms import VoxelHistogram, voxel_histogram
from tests.unit.backend.world import NOON, SIDE, World

DATASETS = ("brain", "abdom")


def mask_of(label: int) -> np.ndarray:
    """The mask of a hidden case of the world, (16, 16, 16)."""
    mask = np.zeros((SIDE, SIDE, SIDE), np.bool_)
    mask[9:13, 5:9, 10:13] = bool(label)
    return mask


def evaluated(
    world: World, name: str, user: User, task: str = "pixel", skill: float = 0.5, absent: Collection[int] = ()
) -> tuple[Submission, Run]:
    """A submission that waits to be scored, and the run that will; `absent` hidden cases have no prediction.

    The share `skill` of a score is the truth, the rest noise.
    """
    row = world.submission(world.team(name), user, kind="counted", task=task)
    world.moved(row, "toy", "test", "score")
    rng = np.random.default_rng(sum(map(ord, name)))
    for dataset in DATASETS:
        run = world.run(row, "test", task=task, dataset=dataset, state="done")
        world.add(*(_result(run, number, skill, rng, number in absent) for number in range(4)))
    return row, world.run(row, "score", state="waiting")


def _result(run: Run, number: int, skill: float, rng: np.random.Generator, absent: bool) -> CaseResult:
    label = number % 2
    mask = mask_of(label)
    noise = rng.random(mask.shape)
    counts = voxel_histogram(np.float16(skill * mask + (1 - skill) * noise), mask)
    if absent:
        counts = VoxelHistogram.absent(counts.positive_voxels, counts.negative_voxels, "zero")
    voxels = run.task == "pixel"
    return CaseResult(
        run_id=run.id,
        submission_id=run.submission_id,
        stage=run.stage,
        task=run.task,
        dataset=run.dataset,
        case_id=f"hidden{number}{run.dataset}",
        outcome="missing" if absent else "scored",
        score=None if absent or voxels else skill * label + (1 - skill) * float(noise[0, 0, 0]),
        statistic=counts.to_bytes() if voxels else None,
    )


def analysed(
    world: World, row: Submission, skill: float, datasets: Collection[str] = DATASETS, state: str = "done"
) -> None:
    """Results of a submission on the analysis sets of some datasets, in one run each, which is in `state`."""
    rng = np.random.default_rng(int(100 * skill))
    with world.read() as session:
        versions = {one.name: one.manifest for one in session.query(DatasetVersion)}
    for dataset in datasets:
        run = world.run(row, "analysis", task=row.task, dataset=dataset, state=state, priority=100)
        for case in versions[dataset].cases_of("analysis", row.task):
            world.add(_scored(run, case.id, case.label or 0, skill, rng))


def _scored(run: Run, case: str, label: int, skill: float, rng: np.random.Generator) -> CaseResult:
    result = _result(run, label, skill, rng, False)
    result.case_id = case
    return result


def ranked(world: World, name: str, user: User, **how: Any) -> Submission:
    """A submission that was scored."""
    row, run = evaluated(world, name, user, **how)
    with world.write() as session:
        submission = session.get_one(Submission, row.id)
        session.add_all(rescoring.score_under_all(session, submission, run.id, []))
        done = session.get_one(Run, run.id)
        done.state, done.finished_at = "done", NOON
        submission.move(session, "ranked", "scored")
    return row
