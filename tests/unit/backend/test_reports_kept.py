"""Reports are computed beside requests, once, and kept by what they were computed from."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, update

from backend.models.challenge import Challenge, DatasetVersion
from backend.models.report import Report
from backend.models.run import Run
from backend.models.score import CaseResult, Score
from backend.models.submission import Submission
from backend.models.team import Team
from backend.models.user import User
from backend.results import reporting
from backend.results.report import Known, basis_of, known_of
from backend.results.study import study_of
from submissions.reporting import write
from tests.unit.backend.evaluated import analysed, ranked
from tests.unit.backend.world import World


@pytest.fixture(autouse=True)
def restless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporting, "REST", 0.0)


@pytest.fixture
def entered(world: World) -> list[Submission]:
    world.challenge(consensus="mean_of_places\n  bootstraps: 100\n  seed: 0")
    world.analysis_sets()
    ada = world.person("ada")
    rows = [ranked(world, name, ada, skill=skill) for name, skill in (("Best", 0.9), ("Weak", 0.3))]
    return [*rows, ranked(world, "Sampler", ada, task="sample", skill=0.5)]


def known(world: World) -> Known:
    with world.read() as session:
        return known_of(session, session.get_one(Challenge, "demo"), with_cases=True)


def digest(world: World) -> str:
    with world.read() as session:
        basis = basis_of(session, session.get_one(Challenge, "demo"))
    assert basis is not None
    return basis.digest


def work_off(world: World) -> int:
    count = 0
    while reporting.work(world.platform.database):
        count += 1
    return count


def test_the_document_is_the_one_that_the_command_writes(
    world: World, entered: list[Submission], tmp_path: Path
) -> None:
    assert known(world).state == "pending"
    assert work_off(world) == 1
    with world.read() as session:
        _, data = write(study_of(session, session.get_one(Challenge, "demo")), tmp_path)
    found = known(world)
    assert found.state == "computed"
    assert found.document == json.loads(data.read_text())
    assert "hidden" not in json.dumps(found.document)


def test_without_anybody_on_a_board_there_is_nothing_to_compute(world: World, ada: User) -> None:
    assert work_off(world) == 0
    assert known(world) == Known("nothing")


def test_an_older_report_is_shown_with_its_time_until_the_newer_one_is_there(
    world: World, entered: list[Submission]
) -> None:
    work_off(world)
    first = known(world)
    ada = entered[0].user_id
    ranked(world, "Late", User(id=ada, name="ada", email=""), skill=0.6)
    older = known(world)
    assert (older.state, older.as_of, older.document) == ("outdated", first.as_of, first.document)
    assert work_off(world) == 1
    newer = known(world)
    assert newer.state == "computed"
    assert newer.as_of is not None
    assert first.as_of is not None
    assert newer.as_of > first.as_of
    assert work_off(world) == 0


def test_the_digest_changes_with_everything_that_the_report_hangs_on(
    world: World, entered: list[Submission]
) -> None:
    best = entered[0]
    seen = [digest(world)]

    def changed(statement: Any) -> None:
        with world.write() as session:
            session.execute(statement)
        seen.append(digest(world))

    with world.read() as session:
        text = session.get_one(Challenge, "demo").spec_text
    changed(update(Challenge).values(spec_text=text.replace("bootstraps: 100", "bootstraps: 101")))
    changed(update(Challenge).values(spec_text=text.replace("decimals: 3", "decimals: 4")))
    changed(update(DatasetVersion).where(DatasetVersion.name == "abdom").values(version="v2"))
    changed(update(Team).where(Team.name == "Best").values(name="Better"))
    changed(update(Team).where(Team.name == "Better").values(baseline=True))
    changed(update(Score).where(Score.submission_id == best.id).values(average_precision=0.123))
    changed(update(Submission).where(Submission.id == best.id).values(finished_at=1.0))
    analysed(world, best, 0.9)
    seen.append(digest(world))
    changed(update(Run).where(Run.submission_id == best.id, Run.stage == "test").values(finished_at=7.0))
    world.set(best, state="cancelled")
    seen.append(digest(world))
    assert len(set(seen)) == len(seen)


def test_dates_and_other_settings_change_no_report(world: World, entered: list[Submission]) -> None:
    before = digest(world)
    with world.write() as session:
        text = session.get_one(Challenge, "demo").spec_text
        over = text.replace("reveal: null", "reveal: 2020-10-08T00:00:00Z")
        session.execute(update(Challenge).values(spec_text=over))
    assert digest(world) == before


def test_two_workers_do_not_compute_the_same_report_and_a_dead_one_is_replaced(
    world: World, entered: list[Submission], monkeypatch: pytest.MonkeyPatch
) -> None:
    database = world.platform.database

    def dies(study: object) -> object:
        assert not reporting.work(database), "the report was given to two"
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(reporting, "_computed", dies)
        with pytest.raises(MemoryError):
            reporting.work(database)
    assert work_off(world) == 0
    assert known(world).state == "pending"
    with world.write() as session:
        session.query(Report).one().claimed_until = 0.0
    assert work_off(world) == 1
    assert known(world).state == "computed"


def test_results_that_changed_since_the_claim_are_another_report(
    world: World, entered: list[Submission], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = digest(world)

    gather = reporting._gathered

    def withdrawn(*arguments: Any) -> Any:
        if not done:
            done.append(1)
            world.set(entered[0], state="cancelled")
        return gather(*arguments)

    done: list[int] = []
    monkeypatch.setattr(reporting, "_gathered", withdrawn)
    assert work_off(world) == 2
    with world.read() as session:
        assert [row.digest for row in session.query(Report)] == [digest(world)] != [before]


def test_results_that_vanish_while_they_are_read_make_no_report(
    world: World, entered: list[Submission], monkeypatch: pytest.MonkeyPatch
) -> None:
    compute = reporting._computed

    def meanwhile(study: Any) -> Any:
        if not done:
            done.append(1)
            with world.write() as session:
                session.execute(delete(CaseResult).where(CaseResult.submission_id == entered[0].id))
            world.set(entered[0], state="cancelled")
        return compute(study)

    done: list[int] = []
    monkeypatch.setattr(reporting, "_computed", meanwhile)
    assert reporting.work(world.platform.database)
    assert known(world).state == "pending"
    assert work_off(world) == 1
    assert known(world).state == "computed"


def test_statistics_are_fetched_one_by_one(world: World, entered: list[Submission]) -> None:
    with world.read() as session:
        challenge = session.get_one(Challenge, "demo")
        study = study_of(session, challenge, fetching=world.platform.database)
        assert not any(row.__dict__.get("statistic") for row in session.identity_map.values())
    [part] = [part for task in study.tasks for part in task.test if task.level == "voxel"][:1]
    held = part.predictions[entered[0].id].histograms
    assert len(held) == 4
    assert held["hidden1brain"].positive_voxels == 48


def test_a_report_that_cannot_be_is_undefined_with_the_reason_and_not_tried_again(
    world: World, entered: list[Submission], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(study: object) -> object:
        raise ValueError("a figure cannot show nan")

    monkeypatch.setattr(reporting, "analyse", fails)
    assert work_off(world) == 1
    found = known(world)
    assert (found.state, found.reason) == ("undefined", "ValueError: a figure cannot show nan")


def test_a_challenge_rests_after_a_report_and_keeps_few_of_them(
    world: World, entered: list[Submission], monkeypatch: pytest.MonkeyPatch
) -> None:
    for skill in range(5):
        world.set(entered[0], finished_at=float(skill))
        assert work_off(world) == 1
    with world.read() as session:
        assert session.query(Report).count() == reporting.KEPT
    monkeypatch.setattr(reporting, "REST", 1e9)
    world.set(entered[0], finished_at=99.0)
    assert work_off(world) == 0
    assert known(world).state == "outdated"
