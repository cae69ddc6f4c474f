"""`moodarena report` on a participant's own toy results, and the report of a check."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select, update

from backend.main import create_app
from backend.models.score import CaseResult
from backend.models.submission import Submission
from backend.models.user import User
from challenges import spec
from scoring.histograms import VoxelHistogram, voxel_histogram
from scoring.report.analysis import analyse
from scoring.report.study import Predictions
from submissions.check import CaseReport, ScriptReport
from submissions.contract import Outcome
from submissions.kit import Kit
from submissions.reporting import study_of_check, write
from tests.command import Person
from tests.live import serving
from tests.unit.backend.world import ROOT, SIDE, World

OTHER = 0.25  # of what is normal


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World.open(tmp_path / "platform") as opened:
        opened.challenge(missing="worst")
        yield opened


@pytest.fixture
def url(world: World) -> Iterator[str]:
    with serving(create_app(world.platform)) as address:
        yield address


@pytest.fixture
def anna(tmp_path: Path, world: World, url: str) -> Person:
    person = Person(tmp_path / "anna")
    token = world.token(world.person("anna"))["Authorization"].removeprefix("Bearer ")
    assert person.types("login", url, "--token-stdin", answers=token).code == 0
    return person


def named(world: World, name: str) -> User:
    with world.read() as session:
        return session.scalars(select(User).where(User.name == name)).one()


def counted(label: int) -> VoxelHistogram:
    """The abnormal voxels score 1, the others less."""
    mask = np.zeros((SIDE,) * 3, dtype=bool)
    mask[9:13, 5:9, 10:13] = bool(label)
    return voxel_histogram(np.where(mask, 1.0, OTHER).astype(np.float32), mask)


@pytest.fixture
def toy(world: World, anna: Person) -> Submission:
    """Toy results of one pixel task: the abnormal case found at once, the normal one missing."""
    user = named(world, "anna")
    submission = world.submission(world.team("Alpha", user), user)
    world.toy_results(submission)
    with world.write() as session:
        results = update(CaseResult).where(CaseResult.submission_id == submission.id)
        absent = VoxelHistogram.absent(0, SIDE**3, "zero").to_bytes()
        session.execute(
            results.where(CaseResult.outcome == "scored").values(
                statistic=counted(1).to_bytes(), figures={"collapse": "spread the scores"}
            )
        )
        session.execute(results.where(CaseResult.outcome == "missing").values(statistic=absent))
    return submission


def test_the_report_of_a_submission_has_its_toy_cases_by_name(
    anna: Person, toy: Submission, tmp_path: Path
) -> None:
    out = tmp_path / "report"
    told = anna.types("report", toy.id, "--out", str(out), "--json").json
    document = json.loads(Path(told["json"]).read_text(encoding="utf-8"))
    assert (document["kind"], document["challenge"], document["scoring_version"]) == ("toy", "demo", 1)
    [task] = document["tasks"]
    missing, scored = task["toy_cases"]["brain"][0]
    assert (missing["case"], missing["outcome"], missing["remark"]) == (
        "toy_0.nii.gz",
        "missing",
        "toy_0.nii.gz: not written",
    )
    assert (scored["case"], scored["average_precision"]["value"]) == ("toy_1.nii.gz", 1.0)
    assert scored["remark"] == "spread the scores"
    assert scored["size"] == pytest.approx(48 * 2.8 * 3.15 * 2.8)
    assert "toy_1.nii.gz" in (out / "report.html").read_text(encoding="utf-8")


def test_a_missing_case_costs_what_the_board_says(anna: Person, toy: Submission, tmp_path: Path) -> None:
    anna.types("report", toy.id, "--out", str(tmp_path / "report"))
    document = json.loads((tmp_path / "report" / "report.json").read_text(encoding="utf-8"))
    [results] = document["tasks"][0]["results"]
    [cost] = [outcomes["cost"] for outcomes in results["outcomes"]]
    # Under `worst` the 4096 normal voxels of the missing case score 1, as the 48 abnormal ones do.
    assert cost["as_ranked"]["value"] == pytest.approx(48 / (48 + SIDE**3))
    assert (cost["zero"]["value"], cost["left_out"]["value"]) == (1.0, 1.0)


def test_a_submission_without_toy_results_has_no_report(world: World, anna: Person, tmp_path: Path) -> None:
    user = named(world, "anna")
    row = world.submission(world.team("Beta", user), user)
    ended = anna.types("report", row.id, "--out", str(tmp_path / "report"), "--json")
    assert (ended.code, ended.json["error"]["code"]) == (1, "no_toy_results")
    assert not (tmp_path / "report").exists()


def test_somebody_elses_submission_has_no_report(world: World, anna: Person, tmp_path: Path) -> None:
    stranger = world.person("bert")
    row = world.submission(world.team("Gamma", stranger), stranger)
    world.toy_results(row)
    ended = anna.types("report", row.id, "--out", str(tmp_path / "report"), "--json")
    assert (ended.code, ended.json["error"]["code"]) == (3, "no_such_submission")


# --- a check on this machine ---


def script(task: str, predictions: Predictions) -> ScriptReport:
    reports = tuple(CaseReport(name, Outcome(found)) for name, found in predictions.outcomes.items())
    return ScriptReport(
        task=task,
        dataset="brain",
        script="run.sh",
        cases=reports,
        average_precision=None,
        undefined_because=None,
        wall_seconds=1.0,
        peak_memory=1,
        log="",
        failure=None,
        predictions=predictions,
    )


@pytest.fixture
def kit(tmp_path: Path) -> Kit:
    labels = tmp_path / "kit" / "brain" / "toy_label" / "sample"
    labels.mkdir(parents=True)
    for number in range(2):
        (labels / f"toy_{number}.nii.gz.txt").write_text(f"{number}\n")
    return Kit(tmp_path / "kit", spec.load(ROOT / "challenges" / "demo.yaml"))


def test_a_check_is_reported_like_a_submission(kit: Kit, tmp_path: Path) -> None:
    outcomes = {f"toy_{number}.nii.gz": "scored" for number in range(2)}
    reports = [
        script("sample", Predictions(outcomes, scores={"toy_0.nii.gz": 0.9, "toy_1.nii.gz": 0.1})),
        script(
            "pixel",
            Predictions(
                outcomes, histograms={f"toy_{number}.nii.gz": counted(number) for number in range(2)}
            ),
        ),
    ]
    study = study_of_check(kit, "sha256:abc", reports)
    document: dict[str, Any] = analyse(study)
    assert (document["kind"], document["scoring_version"]) == ("toy", None)
    values = [task["results"][0]["entrants"][0]["average_precision"]["value"] for task in document["tasks"]]
    assert values == [0.5, 1.0]
    assert [task["entrants"][0]["image"] for task in document["tasks"]] == ["sha256:abc"] * 2
    html, data = write(study, tmp_path / "out")
    assert "the rules of the starter kit" in html.read_text(encoding="utf-8")
    assert json.loads(data.read_text(encoding="utf-8")) == json.loads(json.dumps(document))


def test_a_report_replaces_the_one_before_as_a_whole(kit: Kit, tmp_path: Path) -> None:
    study = study_of_check(kit, "sha256:abc", [])
    first = [path.read_bytes() for path in write(study, tmp_path / "out")]
    (tmp_path / "out" / "report.html").write_text("old")
    assert [path.read_bytes() for path in write(study, tmp_path / "out")] == first
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["report.html", "report.json"]
