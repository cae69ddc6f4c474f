"""A report from the database says what the board says, and nothing of a single hidden case."""

import json
from collections.abc import Iterator
from math import pi
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update
from typer.testing import CliRunner

from backend import cli
from backend.config import Settings
from backend.errors import NotFound
from backend.models.challenge import Challenge, DatasetVersion
from backend.models.score import CaseResult
from backend.models.submission import Submission
from backend.models.team import Membership
from backend.models.user import User
from backend.platform import Platform
from backend.results import rescoring
from backend.results.drafts import Change, draft
from backend.results.leaderboard import leaderboard
from backend.results.study import facts_of, study_of, voxels_of
from datasets.manifest import Case, File
from scoring.histograms import VoxelHistogram
from scoring.report.analysis import analyse
from scoring.report.document import to_json
from scoring.report.page import to_html
from scoring.report.study import Study
from submissions.contract import Code, failure
from tests.unit.backend.evaluated import analysed, mask_of, ranked
from tests.unit.backend.world import World

TASKS = ("sample", "pixel")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World.open(tmp_path / "platform") as world:
        world.challenge()
        yield world


@pytest.fixture
def ada(world: World) -> User:
    return world.person("ada")


def entered(world: World, ada: User) -> list[Submission]:
    """Four teams a task, one of which lacks a prediction."""
    return [
        ranked(world, f"{name} {task}", ada, task=task, skill=skill, absent=absent)
        for task in TASKS
        for name, skill, absent in (
            ("Best", 0.9, ()),
            ("Holed", 0.8, (0,)),
            ("Middling", 0.4, ()),
            ("Weak", 0.1, ()),
        )
    ]


@pytest.fixture
def teams(world: World, ada: User) -> list[Submission]:
    return entered(world, ada)


def studied(world: World, number: int | None = None) -> Study:
    with world.read() as session:
        return study_of(session, session.get_one(Challenge, "demo"), number)


def board(world: World, task: str, number: int | None = None) -> dict[str, dict[str, Any]]:
    organizer = User(id="o", name="o", email="", password_hash="", role="organizer", active=True)
    with world.read() as session:
        found = leaderboard(session, session.get_one(Challenge, "demo"), task, organizer, number)
    return {row.submission: row.model_dump() for row in found.rows}


def agree(world: World, number: int | None = None) -> None:
    """The report's figures and places are those of the board."""
    for task in analyse(studied(world, number))["tasks"]:
        rows = board(world, task["slug"], number)
        assert [one["submission"] for one in task["entrants"]] == list(rows)
        for index, (_, row) in enumerate(rows.items()):
            assert task["ranking"]["consensus"][index] == row["place"]
            for part in task["results"]:
                if part["stage"] == "test":
                    reached = part["entrants"][index]
                    value = reached["average_precision"]["value"]
                    assert value == pytest.approx(row["ap"][part["dataset"]], abs=1e-15)
                    assert part["outcomes"][index]["counts"] == row["outcomes"][part["dataset"]]
                    assert task["ranking"]["places"][part["dataset"]][index] == row["places"][part["dataset"]]


def test_figures_and_places_are_those_of_the_board(world: World, teams: list[Submission]) -> None:
    agree(world)


def test_another_scoring_version_is_reported_by_its_own_rules(world: World, teams: list[Submission]) -> None:
    with world.read() as session:
        challenge = session.get_one(Challenge, "demo")
        other = "zero" if challenge.spec.tasks["pixel"].missing == "worst" else "worst"
        drafted = draft(session, challenge, Change(missing=other, arrangement_seed=3), "why not", "boss")
    rescoring.add_version(world.platform.database, drafted)
    agree(world, 1)
    agree(world, 2)
    old, new = studied(world, 1), studied(world, 2)
    assert (old.scoring_version, new.scoring_version) == (1, 2)
    assert new.tasks[1].protocol["missing"] == other
    assert analyse(old)["tasks"][1]["results"] != analyse(new)["tasks"][1]["results"]


def test_an_unknown_scoring_version_is_refused(world: World) -> None:
    with pytest.raises(NotFound, match="no scoring version 7"):
        studied(world, 7)


def test_nothing_of_a_single_hidden_case_is_in_it(world: World, teams: list[Submission]) -> None:
    with world.read() as session:
        versions = session.query(DatasetVersion).all()
        hidden = [case for version in versions for case in version.manifest.cases_of("test")]
    document = analyse(studied(world))
    content = to_json(document) + to_html(document)
    assert len(hidden) == 8
    for case in hidden:
        for secret in (case.id, case.name, case.name.removesuffix(".nii.gz"), case.image.sha256):
            assert secret.encode() not in content, secret


def test_results_on_another_version_of_the_cases_count_as_lacking(
    world: World, teams: list[Submission]
) -> None:
    with world.write() as session:
        session.execute(update(DatasetVersion).where(DatasetVersion.name == "abdom").values(version="v2"))
    document = analyse(studied(world))
    for task in document["tasks"]:
        [part] = [one for one in task["results"] if (one["dataset"], one["stage"]) == ("abdom", "test")]
        reasons = {one["average_precision"]["undefined"] for one in part["entrants"]}
        assert reasons == {"there are no results on this dataset"}
    assert to_html(document)


def test_a_challenge_without_results_has_a_report(world: World) -> None:
    document = analyse(studied(world))
    assert [task["entrants"] for task in document["tasks"]] == [[], []]
    assert [part["cases"] for part in document["tasks"][1]["data"]] == [4, 4, 2, 2]
    assert b"Nobody has a place yet" in to_html(document)


def test_failed_counted_submissions_are_counted_by_code(world: World, ada: User) -> None:
    team = world.team("Alpha", ada)
    for kind, task in (("counted", "pixel"), ("counted", "pixel"), ("toy", None)):
        row = world.submission(team, ada, kind=kind, task=task)
        with world.write() as session:
            found = session.get_one(Submission, row.id)
            found.fail(session, failure(Code.CRASHED, exit_code=1, hint="why"))
    assert studied(world).failures == {"sample": {}, "pixel": {"crashed": 2}}


def test_volumes_come_from_the_masks_that_voxel_tasks_counted(world: World, teams: list[Submission]) -> None:
    voxels = int(mask_of(1).sum())
    for task in studied(world).tasks:
        for part, voxel in zip(task.test, (2.8 * 3.15 * 2.8, 6.0 * 6.0 * 6.68), strict=True):
            sizes = {case.label: case.size for case in part.cases}
            assert sizes == {0: None, 1: pytest.approx(voxels * voxel)}


def test_histograms_are_decoded_when_they_are_asked_for(world: World, teams: list[Submission]) -> None:
    task = studied(world).tasks[1]
    [holed] = [entrant.submission for entrant in task.entrants if entrant.team.startswith("Holed")]
    histograms = task.test[0].predictions[holed].histograms
    assert histograms["hidden1brain"] is not histograms["hidden1brain"]
    assert len(histograms) == len(list(histograms)) == 4
    filled = histograms["hidden0brain"]
    worst = task.protocol["missing"] == "worst"
    negatives = filled.negative_voxels
    assert filled == VoxelHistogram.absent(0, negatives, "worst" if worst else "zero")


@pytest.mark.parametrize(
    ("parameters", "voxels"),
    [
        ({"radius": 2.0}, 4 / 3 * pi * 8),
        ({"radii": [1, 2, 3]}, 4 / 3 * pi * 6),
        ({"size": [4, 5, 6]}, 120.0),
        ({"sigma": 1.0}, None),
        ({}, None),
    ],
)
def test_without_a_mask_a_volume_follows_from_what_the_anomaly_was_made_with(
    parameters: dict[str, Any], voxels: float | None
) -> None:
    case = Case(
        id="x",
        part="test",
        name="x.nii.gz",
        tasks=("sample",),
        label=1,
        image=File(path="x", sha256="0" * 64, size=1),
        mask=None,
        kind="sphere",
        category="local",
        parameters={**parameters, "intensity": 0.4, "difficulty": 3},
    )
    assert voxels_of(parameters) == voxels
    facts = facts_of(case, (1.0, 2.0, 3.0), None)
    assert facts.size == (None if voxels is None else pytest.approx(voxels * 6))
    assert (facts.contrast, facts.difficulty) == (0.4, "3")
    assert facts_of(case, (1.0, 1.0, 1.0), 7).size == 7


# --- analysis sets ---


def told_of(world: World, task: str) -> tuple[list[str], dict[str, Any]]:
    """The teams of a task in the report's order, and what it says of the analysis sets."""
    [found] = [one for one in analyse(studied(world))["tasks"] if one["slug"] == task]
    return [one["team"].split()[0] for one in found["entrants"]], found["analysis"]


@pytest.mark.parametrize("task", TASKS)
def test_analysis_sets_are_told_of_those_that_were_run_and_the_others_are_named(
    world: World, ada: User, task: str
) -> None:
    world.analysis_sets()
    skills = {"Best": 0.9, "Middling": 0.4, "Weak": 0.1}
    rows = {name: ranked(world, f"{name} {task}", ada, task=task, skill=s) for name, s in skills.items()}
    analysed(world, rows["Best"], 0.9)
    analysed(world, rows["Middling"], 0.4, ["brain"], state="failed")
    teams, found = told_of(world, task)
    assert teams == list(skills)
    brain, abdom = (found["datasets"][dataset] for dataset in ("brain", "abdom"))
    counts = {
        "proxy": 2,
        "size-series": 3,
        "contrast-series": 2,
        "equal-counts": 6 if task == "sample" else 5,
    }
    assert {name: one["cases"] for name, one in brain.items()} == counts
    for name, count in counts.items():
        assert brain[name]["analysed"] == [count, count, 0]
        assert abdom[name]["analysed"] == [count, 0, 0]
    side = (2.8 * 3.15 * 2.8) ** (1 / 3)
    radii = [step["value"] for step in brain["size-series"]["steps"]]
    assert radii == pytest.approx([0, 2 * side, 4 * side])
    assert [step["value"] for step in brain["contrast-series"]["steps"]] == [0.0, 1.0]
    kinds = {one["name"] for one in brain["equal-counts"]["groups"]["kind"]["groups"]}
    assert kinds == {"ring", "shuffle", *(["blur"] if task == "sample" else [])}
    assert brain["proxy"]["entrants"][0]["average_precision"]["value"] > 0.9
    assert brain["proxy"]["against_test"]["entrants"] == 2
    document = analyse(studied(world))
    content = to_json(document) + to_html(document)
    assert b"aloof" not in content
    assert b"(0 of 3)" in content


def test_what_was_run_on_another_version_of_the_sets_is_not_told(world: World, ada: User) -> None:
    world.analysis_sets()
    analysed(world, ranked(world, "Best", ada, task="sample", skill=0.9), 0.9)
    with world.write() as session:
        session.execute(update(DatasetVersion).where(DatasetVersion.name == "abdom").values(version="v2"))
    _, found = told_of(world, "sample")
    assert found["datasets"]["brain"]["proxy"]["analysed"] == [2]
    assert found["datasets"]["abdom"]["proxy"]["analysed"] == [0]


def test_the_board_and_its_figures_are_the_same_with_analysis_sets(world: World, ada: User) -> None:
    world.analysis_sets()
    best = ranked(world, "Best", ada, task="sample", skill=0.9)
    before = board(world, "sample")
    analysed(world, best, 0.1)
    assert board(world, "sample") == before
    with world.read() as session:
        drafted = draft(
            session, session.get_one(Challenge, "demo"), Change(missing="zero"), "why not", "boss"
        )
    rescoring.add_version(world.platform.database, drafted)
    agree(world, 2)


# --- the command ---


def test_the_command_writes_a_page_and_data_that_are_the_same_every_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "platform"
    monkeypatch.setenv("MOODARENA_DATA", str(data))
    assert CliRunner().invoke(cli.app, ["init"]).exit_code == 0
    with World(Platform.open(Settings(data=data))) as world:
        world.challenge()
        entered(world, world.person("ada"))
    made = []
    for name in ("first", "second"):
        out = tmp_path / name
        ended = CliRunner().invoke(cli.app, ["report", "demo", "--out", str(out), "--json"])
        assert ended.exit_code == 0, ended.output
        told = json.loads(ended.stdout)
        assert told["scoring"] == 1
        made.append([Path(told[kind]).read_bytes() for kind in ("html", "json")])
        assert sorted(path.name for path in out.iterdir()) == ["report.html", "report.json"]
    assert made[0] == made[1]
    assert json.loads(made[0][1])["challenge"] == "demo"


# --- a participant's own toy results ---


@pytest.fixture
def toy(world: World, ada: User) -> Submission:
    """A counted submission with toy results, one stored in full, and with results on hidden cases."""
    row = ranked(world, "Alpha", ada, task="pixel")
    world.add(Membership(team_id=row.team_id, user_id=ada.id, challenge_id="demo"))
    world.toy_results(row, "sample", "brain")
    world.toy_results(row, "pixel", "brain")
    counts = VoxelHistogram.absent(48, 4048, "zero")
    with world.write() as session:
        query = update(CaseResult).where(CaseResult.submission_id == row.id, CaseResult.stage == "toy")
        figures = {"objects": {"0.5": [1, 2, 0]}, "collapse": "spread your scores"}
        session.execute(
            query.where(CaseResult.task == "pixel").values(statistic=counts.to_bytes(), figures=figures)
        )
    return row


def test_the_owner_gets_what_is_stored_of_toy_cases_and_nothing_of_hidden_ones(
    client: TestClient, world: World, ada: User, toy: Submission
) -> None:
    answer = client.get(f"/api/v1/submissions/{toy.id}/toy/statistics", headers=world.token(ada))
    told = answer.json()
    assert answer.status_code == 200
    assert (told["challenge"], told["team"], told["scoring"]["number"]) == ("demo", "Alpha", 1)
    assert [(part["task"], part["dataset"]) for part in told["parts"]] == [
        ("pixel", "brain"),
        ("sample", "brain"),
    ]
    first = told["parts"][0]["cases"][0]
    assert (first["name"], first["label"], first["outcome"]) == ("toy_0.nii.gz", 0, "missing")
    assert (first["objects"], first["warning"]) == ({"0.5": [1, 2, 0]}, "spread your scores")
    assert "hidden" not in answer.text
    assert "secret" not in answer.text


def test_to_others_toy_statistics_look_like_those_of_a_submission_that_does_not_exist(
    client: TestClient, world: World, toy: Submission
) -> None:
    stranger = world.token(world.person("bert"))
    answers = [
        client.get(f"/api/v1/submissions/{name}/toy/statistics", headers=stranger)
        for name in (toy.id, "0" * 24)
    ]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].json()["error"]["message"] == answers[1].json()["error"]["message"]
    assert client.get(f"/api/v1/submissions/{toy.id}/toy/statistics").status_code == 401
