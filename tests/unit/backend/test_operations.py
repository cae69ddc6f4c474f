"""What organizers do with one submission: withdraw, reinstate, rescore, rerun, cancel."""

from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from sqlalchemy import func, select, update

from backend.errors import Conflict
from backend.intake import operations
from backend.intake.service import quota
from backend.models.audit import AuditEntry
from backend.models.challenge import Challenge
from backend.models.reveal import FrozenBoard
from backend.models.score import CaseResult, Score
from backend.models.submission import Submission
from backend.models.user import User
from backend.results import rescoring, versions
from backend.results.drafts import Change, draft
from backend.results.leaderboard import last_scored
from backend.results.service import submission_view
from tests.unit.backend.evaluated import ranked
from tests.unit.backend.world import NOON, World

AP: dict[str, float | None] = {"brain": 0.9, "abdom": 0.8}


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def world(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[World]:
    url = request.getfixturevalue("fresh_postgres_url") if request.param == "postgres" else ""
    with World.open(tmp_path, database_url=url) as world:
        yield world


@pytest.fixture
def two(world: World, ada: User) -> list[Submission]:
    """A team's two ranked submissions, the older one first."""
    team = world.team("Alpha", ada)
    return [
        world.ranked(team, ada, "pixel", AP, title=title, created_at=at)
        for title, at in (("a", 1.0), ("b", 2.0))
    ]


def on_board(world: World) -> list[str]:
    with world.read() as session:
        return [row.title for row in last_scored(session, "demo", "pixel")]


def state_of(world: World, submission: Submission) -> str:
    with world.read() as session:
        return session.get_one(Submission, submission.id).state


def withdraw(world: World, submission: Submission) -> None:
    with world.write() as session:
        operations.withdraw(session, submission.id, "boss", "trained on the toys")


def reinstate(world: World, submission: Submission) -> None:
    with world.write() as session:
        operations.reinstate(session, submission.id, "boss", "they did not")


def entries(world: World) -> list[AuditEntry]:
    with world.read() as session:
        return list(session.scalars(select(AuditEntry).order_by(AuditEntry.id)))


def freeze(world: World, *submissions: Submission, released_at: float | None = None) -> None:
    entered = {"pixel": [submission.id for submission in submissions]}
    rules = world.scoring()
    world.add(
        FrozenBoard(challenge_id="demo", scoring_version_id=rules, entries=entered, released_at=released_at)
    )


def test_a_withdrawn_submission_leaves_the_board_to_the_one_before_and_comes_back(
    world: World, two: list[Submission]
) -> None:
    old, new = two
    ended = NOON + 400
    assert on_board(world) == ["b"]
    withdraw(world, new)
    assert on_board(world) == ["a"]
    with world.read() as session:
        row = session.get_one(Submission, new.id)
        assert (row.state, row.finished_at) == ("withdrawn", ended)
        assert row.transitions[-1].cause == "withdrawn by the organizers"
        assert session.scalar(select(func.count(Score.id)).where(Score.submission_id == new.id)) == 2
    withdraw(world, old)
    assert on_board(world) == []
    reinstate(world, new)
    assert on_board(world) == ["b"]
    with world.read() as session:
        assert session.get_one(Submission, new.id).finished_at == ended
    told = [(entry.action, entry.subject, entry.reason, entry.details) for entry in entries(world)]
    assert told == [
        ("submission.withdraw", new.id, "trained on the toys", {"counts_now": old.id}),
        ("submission.withdraw", old.id, "trained on the toys", {"counts_now": None}),
        ("submission.reinstate", new.id, "they did not", {"counts_now": new.id}),
    ]


def test_a_withdrawn_submission_still_costs_quota_and_its_team_sees_no_exact_time_of_a_hidden_run(
    world: World, ada: User, two: list[Submission]
) -> None:
    world.set(two[1], finished_at=1_600_000_401.5)
    with world.read() as session:
        before = quota_used(world)
        seen = submission_view(session, session.get_one(Submission, two[1].id), ada)
        assert seen.finished_at == 1_600_000_410.0
    withdraw(world, two[1])
    assert quota_used(world) == before == 2
    with world.read() as session:
        seen = submission_view(session, session.get_one(Submission, two[1].id), ada)
    assert (seen.state, seen.finished_at) == ("withdrawn", 1_600_000_410.0)
    assert "trained on the toys" not in seen.model_dump_json()
    assert "boss" not in seen.model_dump_json()


def quota_used(world: World) -> int:
    with world.read() as session:
        team = session.scalars(select(Submission)).first().team
        return quota(session, session.get_one(Challenge, "demo").spec, team, "pixel").used


@pytest.mark.parametrize("state", ["failed", "cancelled", "finished", "withdrawn", "score"])
def test_only_a_ranked_submission_is_withdrawn(world: World, ada: User, state: str) -> None:
    row = world.submission(world.team("Alpha", ada), ada, state=state)
    with pytest.raises(Conflict, match="it is under way" if state == "score" else f"it is {state}"):
        withdraw(world, row)
    assert entries(world) == []


def test_only_a_withdrawn_submission_is_reinstated(world: World, two: list[Submission]) -> None:
    with pytest.raises(Conflict, match="it is ranked"):
        reinstate(world, two[0])


def test_a_frozen_board_keeps_what_is_on_it(world: World, two: list[Submission]) -> None:
    old, new = two
    freeze(world, old, released_at=5.0)
    freeze(world, new)
    deeds = [
        lambda: withdraw(world, new),
        lambda: rerun(world, new),
        lambda: operations.rescore(world.platform.database, new.id, "boss"),
    ]
    for deed in deeds:
        with pytest.raises(Conflict, match="Unfreeze the board first"):
            deed()
    assert (state_of(world, new), entries(world)) == ("ranked", [])
    withdraw(world, old)
    assert state_of(world, old) == "withdrawn"


def rerun(world: World, submission: Submission) -> None:
    with world.write() as session:
        operations.rerun(session, world.platform.storage, submission.id, "boss", "why not")


def test_a_withdrawn_submission_is_reinstated_before_it_runs_again(
    world: World, two: list[Submission]
) -> None:
    digest = world.platform.storage.put(iter([b"archive"]))
    world.set(two[0], archive_sha256=digest)
    withdraw(world, two[0])
    with pytest.raises(Conflict, match="Reinstate it first"):
        rerun(world, two[0])
    reinstate(world, two[0])
    rerun(world, two[0])
    assert entries(world)[-1].details == {"before": {"state": "ranked", "failure": None}}


def test_what_was_withdrawn_gets_figures_under_new_scoring_versions_too(world: World, ada: User) -> None:
    row = ranked(world, "Alpha", ada)
    withdraw(world, row)
    with world.read() as session:
        drafted = draft(
            session, session.get_one(Challenge, "demo"), Change(missing="zero"), "why not", "boss"
        )
    assert rescoring.add_version(world.platform.database, drafted).submissions == 1
    (_, made) = entries(world)
    assert (made.actor, made.action, made.subject, made.reason) == ("boss", "scoring.make", "2", "why not")


def test_rescoring_changes_nothing_unless_the_figures_were_wrong(world: World, ada: User) -> None:
    row = ranked(world, "Alpha", ada)
    before = stored(world)
    assert operations.rescore(world.platform.database, row.id, "boss", "new code") == []
    assert stored(world) == before
    with world.write() as session:
        wrong = update(Score).where(Score.dataset == "brain").values(average_precision=0.125)
        session.execute(wrong)
    (change,) = operations.rescore(world.platform.database, row.id, "boss", "new code")
    figure = next(ap for dataset, ap, _ in before if dataset == "brain")
    assert change == {
        "scoring": 1,
        "stage": "test",
        "task": "pixel",
        "dataset": "brain",
        "average_precision": [0.125, figure],
    }
    assert [(dataset, ap) for dataset, ap, _ in stored(world)] == [(dataset, ap) for dataset, ap, _ in before]
    assert stored(world) != before  # scored at another time, so the intervals of the board are computed anew
    assert [entry.details["changed"] for entry in entries(world)] == [[], [change]]


def stored(world: World) -> list[tuple[str, float | None, float]]:
    with world.read() as session:
        rows = session.scalars(select(Score).order_by(Score.dataset))
        return [(row.dataset, row.average_precision, row.created_at) for row in rows]


def test_figures_that_lack_are_made_under_every_version(world: World, ada: User) -> None:
    row = ranked(world, "Alpha", ada)
    with world.write() as session:
        first = versions.current(session, "demo")
        copied = {"policy": first.policy, "created_by": "boss", "challenge_id": "demo"}
        versions.add(session, type(first)(**copied, reason="another"))
    changes = operations.rescore(world.platform.database, row.id, "boss")
    assert {(change["scoring"], change["dataset"]) for change in changes} == {(2, "brain"), (2, "abdom")}


@pytest.mark.parametrize("state", ["failed", "cancelled", "toy"])
def test_what_was_never_scored_is_not_rescored(world: World, ada: User, state: str) -> None:
    row = world.submission(world.team("Alpha", ada), ada, state=state)
    with pytest.raises(Conflict, match="nothing to score"):
        operations.rescore(world.platform.database, row.id, "boss")


def test_results_that_do_not_suffice_leave_every_figure_as_it_is(world: World, ada: User) -> None:
    row = ranked(world, "Alpha", ada)
    before = stored(world)
    with world.write() as session:
        lost = session.scalars(select(CaseResult).where(CaseResult.case_id == "hidden2brain")).one()
        session.delete(lost)
    with pytest.raises(Conflict, match="cannot be scored from what is stored"):
        operations.rescore(world.platform.database, row.id, "boss")
    assert (stored(world), entries(world)) == (before, [])


def test_who_cancels_their_own_is_not_in_the_log_and_an_organizer_is(world: World, ada: User) -> None:
    team = world.team("Alpha", ada)
    own, other = world.submission(team, ada), world.submission(team, ada)
    boss = world.person("boss", "organizer")
    with world.write() as session:
        operations.cancel(session, own.id, ada)
        operations.cancel(session, other.id, boss, "it blocks the queue")
    (entry,) = entries(world)
    assert (entry.actor, entry.action, entry.subject) == ("boss", "submission.cancel", other.id)
    assert (entry.reason, entry.details) == ("it blocks the queue", {"before": "verify"})
    with world.read() as session:
        causes = [session.get_one(Submission, row.id).transitions[-1].cause for row in (own, other)]
    assert causes == ["cancelled by ada", "cancelled by the organizers"]


def test_a_withdrawal_waits_for_a_rescoring_and_both_are_done(world: World, ada: User) -> None:
    row = ranked(world, "Alpha", ada)
    other = Thread(target=withdraw, args=(world, row))
    with world.write() as session:
        versions.lock(session, "demo")
        other.start()
        other.join(timeout=0.5)
        assert other.is_alive()
        assert len(rescoring.scored(session, "demo", hold=True)) == 1
    other.join()
    assert state_of(world, row) == "withdrawn"
