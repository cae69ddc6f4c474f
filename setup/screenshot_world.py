"""A platform to take pictures of: generated scans, teams whose images are of different worth, every state.

Scans are those of the demo's challenge; predictions are drawn from truth and noise, and scored like others.
"""

import gzip
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.config import Settings
from backend.db import now
from backend.models.challenge import DatasetVersion
from backend.models.run import Run
from backend.models.score import CaseResult
from backend.models.submission import Submission
from backend.models.team import Team
from backend.models.user import User
from backend.platform import Platform
from backend.results import reporting, rescoring, uncertainty
from backend.storage import Storage
from datasets.manifest import Case
from scoring.average_precision import average_precision
from scoring.histograms import voxel_histogram
from tests.unit.backend.world import World

ROOT = Path(__file__).resolve().parent.parent
CHALLENGE = ROOT / "challenges/demo.yaml"
PERSON, ORGANIZER = "ada", "boss"
OURS = "Harbour Lights"
SKILLS = {OURS: 0.66, "Quiet Corridor": 0.68, "Northern Imaging": 0.5, "Lanterns": 0.4, "Marble": 0.3}
BASELINE = {"intensity": 0.1}
DAY = 86_400.0

Volume = NDArray[np.float32]


@dataclass(frozen=True)
class Taken:
    """Submissions that pages of their own are about."""

    ranked: str
    before: str
    failed: str
    running: str


def fill(folder: Path, scans: Path) -> Taken:
    """Build the challenge's scans unless they are there, and enter everything."""
    scans.mkdir(parents=True, exist_ok=True)
    _operate(folder, "init")
    _build(folder, scans)
    _operate(folder, "challenge", "add", str(CHALLENGE), "--data", str(scans))
    world = World(Platform.open(Settings(data=folder)))
    with world:
        ada, _ = world.person(PERSON), world.person(ORGANIZER, "organizer")
        world.person("grace")
        taken = _enter(world, ada)
        while uncertainty.work(world.platform.database):
            pass
        while reporting.work(world.platform.database):
            pass
    return taken


def _build(folder: Path, scans: Path) -> None:
    secret = scans / "secret"
    secret.write_text("what is shown to everybody is no secret at all")
    secret.chmod(0o600)
    arguments = ("--out", str(scans), "--secret-file", str(secret), "--workers", "2")
    _operate(folder, "dataset", "build", str(CHALLENGE), *arguments)


def _operate(folder: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "backend", *arguments]
    subprocess.run(command, cwd=ROOT, env={**os.environ, "MOODARENA_DATA": str(folder)}, check=True)


def _enter(world: World, ada: User) -> Taken:
    rng = np.random.default_rng(4)
    made: dict[tuple[str, str], Submission] = {}
    moment = _moment(world)
    for name, skill in (SKILLS | BASELINE).items():
        team = world.team(name, *[ada] * (name == OURS), baseline=name in BASELINE)
        for number, task in enumerate(("pixel", "sample", "pixel") if name == OURS else ("pixel", "sample")):
            title = f"{name.lower().replace(' ', '-')} {number + 1}"
            begun = moment - DAY * (12 - 3 * number - len(made) / 10)
            row = world.submission(team, ada, kind="counted", task=task, title=title, created_at=begun)
            _evaluated(world, row, skill - 0.1 * (number == 0), rng)
            made[name, f"{task} {number}"] = row
    others = _unfinished(world, made[OURS, "pixel 0"].team_id, ada)
    _date(world)
    return Taken(made[OURS, "pixel 2"].id, made[OURS, "pixel 0"].id, *others)


def _unfinished(world: World, team: str, ada: User) -> tuple[str, str]:
    """One that failed on toy cases, one that runs, one that waits."""
    with world.read() as session:
        founded = session.get_one(Team, team)
    failed = world.submission(founded, ada, title="with a new output layer", created_at=_moment(world) - 7200)
    sentence = "toy_2.nii.gz: 63 slices written, 64 expected"
    world.set(failed, failure_code="wrong_shape", failure_message=sentence, failure_detail="Traceback …")
    world.moved(failed, "toy", "failed")
    running = world.submission(founded, ada, title="longer training", created_at=_moment(world) - 300)
    world.run(running, "verify", state="done", attempt=1, wall_seconds=9.0, finished_at=_moment(world) - 280)
    world.run(running, "toy", task="pixel", dataset="brain", state="running", started_at=_moment(world) - 60)
    world.moved(running, "toy")
    waiting = world.submission(founded, ada, title="two networks", created_at=_moment(world) - 30)
    world.run(waiting, "verify")
    return failed.id, running.id


def _date(world: World) -> None:
    """Stages follow each other by minutes, whenever a submission was handed in."""
    with world.write() as session:
        for row in session.query(Submission):
            for number, move in enumerate(row.transitions):
                move.created_at = row.created_at + 240 * number
            row.finished_at = row.transitions[-1].created_at if row.finished_at else None


def _moment(world: World) -> float:
    with world.read() as session:
        return float(session.scalars(select(now())).one())


def _evaluated(world: World, row: Submission, skill: float, rng: np.random.Generator) -> None:
    """Results of every toy and hidden case of the submission's task, scored."""
    world.moved(row, "toy", "test", "score")
    storage = world.platform.storage
    with world.write() as session:
        submission = session.get_one(Submission, row.id)
        versions = session.query(DatasetVersion).filter_by(challenge_id=row.challenge_id).all()
        for version in versions:
            for stage in ("toy", "test"):
                run = _run(session, submission, stage, version)
                cases = version.manifest.cases_of(stage, submission.task)
                session.add_all(_results(world, storage, run, cases, skill, rng))
        session.flush()
        scoring = _run(session, submission, "score", None)
        session.add_all(rescoring.score_under_all(session, submission, scoring.id, []))
        submission.move(session, "ranked", "scored")


def _run(session: Session, row: Submission, stage: str, version: DatasetVersion | None) -> Run:
    run = Run(
        submission_id=row.id,
        stage=stage,
        task=row.task if version else "",
        dataset=version.name if version else "",
        dataset_version=version.version if version else "",
        lane="toy" if stage == "toy" else "test",
        state="done",
        attempt=1,
        started_at=row.created_at + 20,
        finished_at=row.created_at + 95,
        wall_seconds=74.6,
        peak_memory=611 << 20,
        log="weights loaded\n4 cases on the CPU\n" if stage == "toy" else None,
    )
    session.add(run)
    session.flush()
    return run


def _results(
    world: World, storage: Storage, run: Run, cases: Any, skill: float, rng: np.random.Generator
) -> Iterator[CaseResult]:
    for case in cases:
        given: dict[str, Any] = {"outcome": "scored"}
        if run.task == "sample":
            given["score"] = float(np.clip(skill * (case.label or 0) / 2 + (1 - skill) * rng.random(), 0, 1))
        else:
            heat, truth = _prediction(storage, case, skill, rng)
            given["statistic"] = voxel_histogram(np.float16(heat), truth).to_bytes()
            if run.stage == "toy":
                given |= _view(world, heat, truth)
        yield CaseResult(
            run_id=run.id,
            submission_id=run.submission_id,
            stage=run.stage,
            task=run.task,
            dataset=run.dataset,
            case_id=case.id,
            **given,
        )


def _prediction(
    storage: Storage, case: Case, skill: float, rng: np.random.Generator
) -> tuple[Volume, NDArray[np.bool_]]:
    """A map that finds a part of the truth, blurred, and edges of the scan beside it."""
    scan = _volume(storage, case.image.sha256)
    truth = _volume(storage, case.mask.sha256) > 0.5 if case.mask else np.zeros(scan.shape, np.bool_)
    found = gaussian_filter(np.float32(truth), 1.2) * skill * rng.uniform(0.5, 1.4)
    edges = np.abs(scan - gaussian_filter(scan, 2)) * (2 - skill)
    noise = gaussian_filter(rng.random(scan.shape, np.float32), 1) * 0.25 * (scan > 0.02)
    return np.clip(found + edges + noise, 0, 1), truth


def _volume(storage: Storage, digest: str) -> Volume:
    image = nibabel.Nifti1Image.from_bytes(gzip.decompress(storage.path(digest).read_bytes()))
    return np.asanyarray(image.dataobj).astype(np.float32)


def _view(world: World, heat: Volume, truth: NDArray[np.bool_]) -> dict[str, Any]:
    view = world.volume("view", np.uint8(np.rint(heat * 255))).sha256
    if not truth.any():
        return {"view_sha256": view}
    figure = average_precision(truth.ravel(), heat.ravel())
    return {"view_sha256": view, "figures": {"average_precision": figure, "exact_average_precision": figure}}
