"""A platform as a busy challenge leaves it, for the benchmark of pages: rows are written, nothing is run."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from sqlalchemy.orm import Session

from backend.config import Settings
from backend.migrate import upgrade
from backend.models.challenge import DatasetVersion
from backend.models.run import Run
from backend.models.score import CaseResult, Score
from backend.models.submission import Submission, Transition
from backend.models.team import Team
from backend.models.user import User
from backend.results import rescoring, uncertainty
from datasets.manifest import Case, File
from scoring.histograms import voxel_histogram
from tests.unit.backend.world import NOON, SIDE, World

CHALLENGE, TASK, TOY = "demo", "pixel", "toy_1.nii.gz"
PERSON, ORGANIZER = "ada", "boss"
STATES = ("verify", "toy", "test", "score", "ranked")
DAY = 86_400.0


@dataclass(frozen=True)
class Filled:
    """What pages show: the newest submission of the person's team, and one before it."""

    folder: Path
    submission: str
    other: str

    @property
    def case(self) -> str:
        """The address of the large toy case."""
        return f"/submissions/{self.submission}/toy/{TASK}/brain/{TOY}"


def fill(folder: Path, teams: int, each: int, side: int) -> Filled:
    """Teams with so many ranked submissions each, intervals of their board, and a toy case of `side`³."""
    upgrade(Settings(data=folder).database)
    with World.open(folder) as world:
        world.challenge(consensus="mean_of_places\n  bootstraps: 1000", origin_url="")
        ada, _ = world.person(PERSON), world.person(ORGANIZER, "organizer")
        views = _large_toy_case(world, side)
        founded = [world.team(f"Team {number + 1}", *[ada] * (not number)) for number in range(teams)]
        scoring = world.scoring()
        rng = np.random.default_rng(0)
        with world.write() as session:
            mine, *_ = [_submissions(session, team, ada, scoring, each, rng) for team in founded]
        for submission in mine[-2:]:
            _toy_results(world, submission, scoring, views)
        while uncertainty.work(world.platform.database):
            pass
    return Filled(folder, mine[-1].id, mine[-2].id)


def _submissions(
    session: Session, team: Team, user: User, scoring: int, count: int, rng: np.random.Generator
) -> list[Submission]:
    """Ranked ones, a day apart; the last one has a result of every hidden case."""
    skill = rng.uniform(0.2, 0.9)
    rows = [_submission(session, team, user, number) for number in range(count)]
    for row in rows[:-1]:
        for dataset in ("brain", "abdom"):
            figure = float(skill * rng.uniform(0.8, 1))
            session.add(_score(_run(session, row, "test", dataset), "test", scoring, figure, {"scored": 4}))
    runs = [_run(session, rows[-1], "test", dataset) for dataset in ("brain", "abdom")]
    for run in runs:
        session.add_all(_results(run, skill, rng))
    session.flush()
    session.add_all(rescoring.score_under_all(session, rows[-1], runs[0].id, []))
    return rows


def _submission(session: Session, team: Team, user: User, number: int) -> Submission:
    begun = NOON + number * DAY
    row = Submission(
        challenge_id=CHALLENGE,
        team_id=team.id,
        user_id=user.id,
        kind="counted",
        task=TASK,
        title=f"network with {number + 1} layers",
        state="ranked",
        archive_sha256="ab" * 32,
        archive_size=10**9,
        created_at=begun,
        finished_at=begun + 2000,
    )
    session.add(row)
    session.flush()
    moves = zip(("", *STATES), STATES, strict=False)
    for step, (before, after) in enumerate(moves):
        at = begun + 400 * step
        session.add(Transition(submission_id=row.id, before=before, after=after, cause="done", created_at=at))
    for stage in ("verify", "score"):
        _run(session, row, stage, "")
    return row


def _run(session: Session, row: Submission, stage: str, dataset: str) -> Run:
    run = Run(
        submission_id=row.id,
        stage=stage,
        task=TASK if dataset else "",
        dataset=dataset,
        dataset_version="v1",
        lane="toy" if stage in ("verify", "toy") else "test",
        state="done",
        attempt=1,
        started_at=row.created_at + 10,
        finished_at=row.created_at + 70,
        wall_seconds=60.0,
        peak_memory=900 << 20,
        log="case 1 of 4\n" * 40 if stage == "toy" else None,
    )
    session.add(run)
    session.flush()
    return run


def _results(run: Run, skill: float, rng: np.random.Generator) -> Iterator[CaseResult]:
    for number in range(4):
        truth = np.zeros((SIDE, SIDE, SIDE), np.bool_)
        truth[9:13, 5:9, 10:13] = bool(number % 2)
        scores = np.float16(skill * truth + (1 - skill) * rng.random(truth.shape))
        counts = voxel_histogram(scores, truth)
        yield _result(run, "test", f"hidden{number}{run.dataset}", statistic=counts.to_bytes())


def _result(run: Run, stage: str, case: str, **values: object) -> CaseResult:
    return CaseResult(
        run_id=run.id,
        submission_id=run.submission_id,
        stage=stage,
        task=run.task,
        dataset=run.dataset,
        case_id=case,
        outcome="scored",
        **values,
    )


def _score(run: Run, stage: str, scoring: int, figure: float, outcomes: dict[str, int]) -> Score:
    return Score(
        run_id=run.id,
        submission_id=run.submission_id,
        scoring_version_id=scoring,
        stage=stage,
        task=run.task,
        dataset=run.dataset,
        dataset_version="v1",
        average_precision=figure,
        validation=figure,
        outcomes=outcomes,
    )


def _toy_results(world: World, submission: Submission, scoring: int, views: list[str]) -> None:
    with world.write() as session:
        run = _run(session, submission, "toy", "brain")
        for number, view in zip((1, 0), views, strict=True):
            figures = {"average_precision": 0.7, "exact_average_precision": 0.7} if number else {}
            session.add(_result(run, "toy", f"toy{number}brain", view_sha256=view, figures=figures))
        session.add(_score(run, "toy", scoring, 0.7, {"scored": 2}))


def _large_toy_case(world: World, side: int) -> list[str]:
    """Put scans of `side`³ in place of the toy brains; the digests of an anomaly map of each."""
    rng = np.random.default_rng(1)
    body, lesion = _ball(side, 0.45), _ball(side, 0.1)
    with world.write() as session:
        row = session.query(DatasetVersion).filter_by(challenge_id=CHALLENGE, name="brain").one()
        toy = [_enlarged(world, case, body, lesion, rng) for case in row.manifest.cases_of("toy")]
        others = [case for case in row.manifest.cases if case.part != "toy"]
        row.manifest_text = row.manifest.model_copy(update={"cases": (*toy, *others)}).model_dump_json()
    return [world.volume("view", _map(case.label or 0, body, lesion, rng)).sha256 for case in toy]


def _enlarged(
    world: World, case: Case, body: NDArray[np.bool_], lesion: NDArray[np.bool_], rng: np.random.Generator
) -> Case:
    smooth = gaussian_filter(rng.standard_normal(body.shape, dtype=np.float32), 3)
    scan = body * (0.5 + smooth + 0.03 * rng.standard_normal(body.shape, dtype=np.float32))
    truth = lesion * bool(case.label)
    image = world.volume(case.image.path, _levels(scan + 0.3 * truth))
    mask: File | None = case.mask and world.volume(case.mask.path, truth.astype(np.uint8))
    return case.model_copy(update={"image": image, "mask": mask})


def _levels(scan: NDArray[np.floating]) -> NDArray[np.float32]:
    """As the datasets are stored: 4096 grey levels as float32."""
    return np.float32(np.rint(np.clip(scan, 0, 1) * 4096) / 4096)


def _map(
    label: int, body: NDArray[np.bool_], lesion: NDArray[np.bool_], rng: np.random.Generator
) -> NDArray[np.uint8]:
    heat = gaussian_filter(np.float32(lesion * label), 2) * 0.8 + 0.2 * rng.random(body.shape, np.float32)
    return np.uint8(np.rint(255 * body * heat))


def _ball(side: int, radius: float) -> NDArray[np.bool_]:
    axes = np.ogrid[:side, :side, :side]
    middle = (side - 1) / 2
    inside: NDArray[np.bool_] = sum((axis - middle) ** 2 for axis in axes) <= (radius * side) ** 2
    return inside
