"""How sure places are: computed beside requests, kept by what it was computed from, shown for that only."""

from datetime import date
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update

from backend.models.challenge import Challenge, DatasetVersion
from backend.models.score import Score
from backend.models.standing import Standing
from backend.models.submission import Submission
from backend.models.user import User
from backend.results import rescoring, uncertainty, versions
from backend.results.drafts import Change, draft
from backend.results.leaderboard import leaderboard
from backend.results.schemas import Board
from backend.results.study import study_of
from scoring.report.analysis import analyse
from tests.unit.backend.browsing import visitor
from tests.unit.backend.evaluated import ranked
from tests.unit.backend.world import World

TASKS = ("sample", "pixel")


@pytest.fixture
def ada(world: World) -> User:
    world.challenge(consensus="mean_of_places\n  bootstraps: 100\n  seed: 0")
    return world.person("ada")


@pytest.fixture
def boss(world: World) -> User:
    return world.person("boss", "organizer")


def enter(world: World, ada: User, task: str = "pixel") -> list[Submission]:
    skills = {"Best": 0.9, "Middling": 0.4, "Weak": 0.3}
    return [ranked(world, f"{name} {task}", ada, task=task, skill=skill) for name, skill in skills.items()]


def board(world: World, task: str = "pixel", viewer: User | None = None, as_of: date | None = None) -> Board:
    with world.read() as session:
        return leaderboard(session, session.get_one(Challenge, "demo"), task, viewer, as_of=as_of)


def state(world: World, task: str = "pixel") -> str:
    return board(world, task).uncertainty.state


def work_off(world: World) -> int:
    """Compute all that lacks; how many boards that were."""
    count = 0
    while uncertainty.work(world.platform.database):
        count += 1
    return count


@pytest.mark.parametrize("task", TASKS)
def test_the_intervals_are_those_of_the_report(world: World, ada: User, task: str) -> None:
    enter(world, ada, task)
    assert work_off(world) == 1
    shown = board(world, task)
    with world.read() as session:
        study = study_of(session, session.get_one(Challenge, "demo"))
    [told] = [one for one in analyse(study)["tasks"] if one["slug"] == task]
    index = {one["submission"]: number for number, one in enumerate(told["entrants"])}
    for row in shown.rows:
        at = index[row.submission]
        assert list(row.interval or ()) == told["uncertainty"]["consensus"]["intervals"][at]
        for name, interval in row.intervals.items():
            by_dataset = told["uncertainty"]["datasets"][name]["bootstraps"]["intervals"]
            assert list(interval or ()) == by_dataset[at]
    assert (shown.uncertainty.state, shown.uncertainty.bootstraps) == ("computed", 100)
    assert all(row.interval and row.interval[0] <= row.place <= row.interval[1] for row in shown.rows)


def test_every_board_on_which_somebody_stands_is_computed_once(world: World, ada: User) -> None:
    assert work_off(world) == 0
    for task in TASKS:
        enter(world, ada, task)
    assert {state(world, task) for task in TASKS} == {"pending"}
    assert work_off(world) == 2
    assert {state(world, task) for task in TASKS} == {"computed"}
    assert work_off(world) == 0


def test_a_new_entry_makes_another_board_whose_intervals_are_not_those_of_the_old_one(
    world: World, ada: User
) -> None:
    enter(world, ada)
    work_off(world)
    late = ranked(world, "Late", ada, skill=0.6)
    shown = board(world)
    assert shown.uncertainty.state == "pending"
    assert [row.interval for row in shown.rows] == [None] * 4
    work_off(world)
    assert all(row.interval for row in board(world).rows)
    world.set(late, state="cancelled")
    back = board(world)
    assert (back.uncertainty.state, len(back.rows)) == ("computed", 3)


def test_intervals_belong_to_the_rules_the_cases_and_the_draws(world: World, ada: User) -> None:
    enter(world, ada)
    work_off(world)
    with world.read() as session:
        text = session.get_one(Challenge, "demo").spec_text
        drafted = draft(
            session, session.get_one(Challenge, "demo"), Change(arrangement_seed=3), "why not", "b"
        )
    for other in (text.replace("bootstraps: 100", "bootstraps: 101"), text.replace("seed: 0", "seed: 1")):
        assert other != text
        with world.write() as session:
            session.execute(update(Challenge).values(spec_text=other))
        assert state(world) == "pending"
    with world.write() as session:
        session.execute(update(Challenge).values(spec_text=text))
    assert state(world) == "computed"
    rescoring.add_version(world.platform.database, drafted)
    assert state(world) == "computed"
    with world.write() as session:
        versions.make_current(session, versions.numbered(session, "demo", 2))
    assert state(world) == "pending"
    with world.write() as session:
        versions.make_current(session, versions.numbered(session, "demo", 1))
        session.execute(update(DatasetVersion).where(DatasetVersion.name == "abdom").values(version="v2"))
    assert state(world) == "pending"


def test_a_submission_that_was_scored_anew_is_another_basis(world: World, ada: User) -> None:
    first, *_ = enter(world, ada)
    work_off(world)
    with world.write() as session:
        score = session.query(Score).filter_by(submission_id=first.id).first()
        score.average_precision = 0.123
    assert state(world) == "pending"


def test_a_board_that_changed_while_it_was_computed_keeps_nothing(
    world: World, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter(world, ada)
    compute = uncertainty._compute

    def meanwhile(gathered: Any) -> Any:
        found = compute(gathered)
        if not done:
            done.append(ranked(world, "Late", ada, skill=0.6))
        return found

    done: list[Submission] = []
    monkeypatch.setattr(uncertainty, "_compute", meanwhile)
    assert uncertainty.work(world.platform.database)
    assert state(world) == "pending"
    with world.read() as session:
        assert [row.found for row in session.query(Standing)] == [None]
    assert uncertainty.work(world.platform.database)
    assert state(world) == "computed"


def test_two_workers_do_not_compute_the_same_board_and_a_dead_one_is_replaced(
    world: World, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter(world, ada)
    database = world.platform.database

    def dies(gathered: object) -> object:
        assert not uncertainty.work(database), "the board was given to two"
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(uncertainty, "_compute", dies)
        with pytest.raises(MemoryError):
            uncertainty.work(database)
    assert work_off(world) == 0
    with world.write() as session:
        session.query(Standing).one().claimed_until = 0.0
    assert work_off(world) == 1
    assert state(world) == "computed"


def test_what_cannot_be_redrawn_is_undefined_and_only_organizers_learn_why(
    world: World, ada: User, boss: User, client: TestClient
) -> None:
    world.ranked(world.team("Alpha"), ada, "sample", {"brain": 0.5, "abdom": 0.5})
    work_off(world)
    mine, theirs = board(world, "sample", ada), board(world, "sample", boss)
    assert (mine.uncertainty.state, mine.uncertainty.reason) == ("undefined", None)
    assert "results of 4 of 4 cases are lacking" in str(theirs.uncertainty.reason)
    page = visitor(client).get("/challenges/demo/leaderboard?task=sample")
    assert "are undefined" in page
    assert "lacking" not in page


def test_a_request_computes_nothing(world: World, ada: User, client: TestClient) -> None:
    enter(world, ada)
    page = visitor(client).get("/challenges/demo/leaderboard?task=pixel")
    assert "being computed: 100 bootstraps" in page
    assert client.get("/api/v1/challenges/demo/leaderboard?task=pixel").json()["rows"][0]["interval"] is None
    with world.read() as session:
        assert session.query(Standing).all() == []


def test_shares_of_positive_voxels_are_told_once_all_is_over_and_to_organizers(
    world: World, ada: User, boss: User
) -> None:
    enter(world, ada)
    work_off(world)
    nothing = {"brain": None, "abdom": None}
    assert board(world).positive_share == nothing
    shares = board(world, viewer=boss).positive_share
    # 4 × 4 × 3 of 16³ voxels in every second case, rounded up
    assert shares == {"brain": 0.0059, "abdom": 0.0059}
    with world.write() as session:
        text = session.get_one(Challenge, "demo").spec_text
        over = text.replace("reveal: null", "reveal: 2020-10-08T00:00:00Z")
        session.execute(update(Challenge).values(spec_text=over))
    assert board(world).positive_share == shares
    assert board(world, "sample").positive_share == {"brain": 0.5, "abdom": 0.5}


def test_the_board_of_today_has_the_intervals_of_now_and_a_past_one_those_that_it_had(
    world: World, ada: User
) -> None:
    enter(world, ada)
    work_off(world)
    with world.read() as session:
        rows = session.query(Submission).all()
    for row in rows:
        world.set(row, finished_at=row.finished_at - 86400 * 2)
    assert state(world) == "pending"
    work_off(world)
    ranked(world, "Late", ada, skill=0.6)
    today = date.today()
    assert board(world, as_of=today).uncertainty.state == "pending"
    before = board(world, as_of=date.fromordinal(today.toordinal() - 1))
    assert (before.uncertainty.state, len(before.rows)) == ("computed", 3)
    none = board(world, as_of=date.fromordinal(today.toordinal() - 9))
    assert (none.rows, none.uncertainty.state) == ([], "absent")
