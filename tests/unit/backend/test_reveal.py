"""From an open board to a published one and back, and what everybody sees meanwhile."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from backend.errors import BadInput, Conflict, Forbidden, MoodarenaError
from backend.models.audit import AuditEntry
from backend.models.challenge import Challenge
from backend.models.reveal import FrozenBoard
from backend.models.submission import Submission
from backend.models.team import Team
from backend.models.user import User
from backend.results import disclosure, rescoring, reveal, service, uncertainty, versions
from backend.results.board_export import citation
from backend.results.drafts import Change, draft
from backend.results.leaderboard import leaderboard
from backend.results.schemas import Board, RevealView
from tests.unit.backend.evaluated import ranked
from tests.unit.backend.world import NOON, World

HIDDEN = {"leaderboard": "after_reveal", "own_score": "after_reveal"}


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def world(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[World]:
    url = request.getfixturevalue("fresh_postgres_url") if request.param == "postgres" else ""
    with World.open(tmp_path, database_url=url) as world:
        yield world


@pytest.fixture
def boss(world: World) -> User:
    return world.person("boss", "organizer")


@pytest.fixture
def ada(world: World) -> User:
    return world.person("ada")


def entry(
    world: World, team: Team, ada: User, figure: float, day: float = 0, task: str = "sample"
) -> Submission:
    row = world.ranked(team, ada, task, {"brain": figure, "abdom": figure})
    world.set(row, created_at=NOON + day * 86400, finished_at=NOON + day * 86400 + 400)
    return row


def do(world: World, deed: reveal.Deed, boss: User, reason: str = "it is time", looked_at: str = "") -> None:
    with world.write() as session:
        reveal.carry_out(session, "demo", deed, boss, reason, looked_at)


def view(world: World) -> RevealView:
    with world.read() as session:
        return reveal.reveal_view(session, session.get_one(Challenge, "demo"))


def board(world: World, viewer: User | None = None, **asked: Any) -> Board:
    with world.read() as session:
        return leaderboard(session, session.get_one(Challenge, "demo"), "sample", viewer, **asked)


def cited(world: World) -> str:
    with world.read() as session:
        rules = session.get_one(Challenge, "demo").spec
    return citation(board(world), rules, "https://example.org", disclosure.utc(NOON).date()).text


def teams(world: World, viewer: User | None = None, **asked: Any) -> list[str]:
    return [row.team for row in board(world, viewer, **asked).rows]


def deeds(world: World) -> list[tuple[str, str, str]]:
    with world.read() as session:
        rows = session.scalars(select(AuditEntry).order_by(AuditEntry.id))
        return [(row.actor, row.action, row.reason) for row in rows]


def refused(ask: Callable[[], Any], kind: type[MoodarenaError], code: str) -> None:
    with pytest.raises(kind) as refusal:
        ask()
    assert refusal.value.code == code


def test_what_is_ranked_later_is_not_on_a_frozen_board_but_organizers_see_it(
    world: World, ada: User, boss: User
) -> None:
    world.challenge()
    alpha = world.team("Alpha", ada)
    entry(world, alpha, ada, 0.5)
    do(world, "freeze", boss)
    entry(world, alpha, ada, 0.9, day=1)
    entry(world, world.team("Beta"), ada, 0.7, day=1)
    assert teams(world) == teams(world, boss) == ["Alpha"]
    assert board(world).rows[0].ap["brain"] == 0.5
    assert board(world).frozen_since is not None
    assert "Scoring version 1, frozen on 20" in cited(world)
    assert teams(world, boss, live=True) == ["Alpha", "Beta"]
    assert board(world, boss, live=True).frozen_since is None
    refused(lambda: board(world, ada, live=True), Forbidden, "board_not_public")
    assert view(world).later == {"sample": 2, "pixel": 0}
    do(world, "unfreeze", boss)
    assert teams(world) == ["Alpha", "Beta"]


def test_a_past_day_keeps_its_board_and_days_since_the_freeze_have_the_frozen_one(
    world: World, ada: User, boss: User
) -> None:
    world.challenge()
    alpha = world.team("Alpha", ada)
    entry(world, alpha, ada, 0.5)
    entry(world, alpha, ada, 0.6, day=2)
    do(world, "freeze", boss)
    entry(world, alpha, ada, 0.9, day=3)
    first_day = disclosure.utc(NOON).date()
    assert board(world, as_of=first_day).rows[0].ap["brain"] == 0.5
    assert board(world, as_of=first_day).frozen_since is None
    with world.read() as session:
        frozen = session.scalars(select(FrozenBoard)).one()
    today = board(world, as_of=disclosure.utc(frozen.created_at).date())
    assert (today.rows[0].ap["brain"], today.frozen_since) == (0.6, frozen.created_at)


def test_everybody_sees_the_board_from_its_publication_on_whatever_date_the_rules_name(
    world: World, ada: User, boss: User
) -> None:
    world.challenge(**HIDDEN, reveal="2099-01-01T00:00:00Z")
    own = entry(world, world.team("Alpha", ada), ada, 0.123456)
    do(world, "freeze", boss)
    refused(lambda: board(world, ada), Forbidden, "board_not_public")
    assert scores(world, own, ada) == []
    do(world, "publish", boss)
    assert teams(world, ada) == ["Alpha"]
    assert board(world, ada).rows[0].ap["brain"] == 0.123
    assert scores(world, own, ada) == [0.123, 0.123]
    do(world, "unpublish", boss)
    refused(lambda: board(world, ada), Forbidden, "board_not_public")
    assert scores(world, own, ada) == []
    assert view(world).state == "frozen"


def scores(world: World, submission: Submission, viewer: User) -> list[float | None]:
    with world.read() as session:
        found = service.find_submission(session, submission.id, viewer)
        return [one.average_precision for one in service.submission_view(session, found, viewer).scores]


def test_a_board_for_organizers_only_is_published_too(world: World, ada: User, boss: User) -> None:
    world.challenge(leaderboard="organizers")
    entry(world, world.team("Alpha", ada), ada, 0.5)
    do(world, "freeze", boss)
    do(world, "publish", boss)
    assert teams(world) == ["Alpha"]


def test_a_deed_done_twice_is_done_once(world: World, ada: User, boss: User) -> None:
    world.challenge(**HIDDEN)
    entry(world, world.team("Alpha", ada), ada, 0.5)
    steps: list[reveal.Deed] = ["freeze", "publish", "unpublish", "unfreeze"]
    for deed in steps:
        do(world, deed, boss, f"to {deed}")
        do(world, deed, boss, "again")
    assert deeds(world) == [("boss", f"board.{deed}", f"to {deed}") for deed in steps]
    assert view(world).state == "open"


def test_deeds_have_an_order_and_need_a_reason(world: World, ada: User, boss: User) -> None:
    world.challenge(**HIDDEN)
    refused(lambda: do(world, "publish", boss), Conflict, "board_not_frozen")
    refused(lambda: do(world, "freeze", boss, " "), BadInput, "reason_missing")
    do(world, "freeze", boss)
    do(world, "publish", boss)
    refused(lambda: do(world, "unfreeze", boss), Conflict, "board_published")
    assert view(world).state == "published"


def test_only_the_board_that_was_looked_at_is_frozen(world: World, ada: User, boss: User) -> None:
    world.challenge()
    alpha = world.team("Alpha", ada)
    entry(world, alpha, ada, 0.5)
    looked_at = view(world).seen
    entry(world, alpha, ada, 0.6, day=1)
    refused(lambda: do(world, "freeze", boss, looked_at=looked_at), Conflict, "board_changed")
    do(world, "freeze", boss, looked_at=view(world).seen)
    assert board(world).rows[0].ap["brain"] == 0.6


def test_of_many_who_freeze_at_once_one_does(world: World, ada: User, boss: User) -> None:
    world.challenge()
    entry(world, world.team("Alpha", ada), ada, 0.5)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda number: do(world, "freeze", boss, f"reason {number}"), range(6)))
        list(pool.map(lambda number: do(world, "publish", boss, f"reason {number}"), range(6)))
    with world.read() as session:
        assert len(session.scalars(select(FrozenBoard)).all()) == 1
    assert [action for _, action, _ in deeds(world)] == ["board.freeze", "board.publish"]


def test_the_scoring_version_of_a_frozen_board_stays(world: World, ada: User, boss: User) -> None:
    world.challenge(missing="zero")
    ranked(world, "Alpha", ada, skill=0.9)
    with world.read() as session:
        drafted = draft(
            session, session.get_one(Challenge, "demo"), Change(missing="worst"), "fairer", "boss"
        )
    rescoring.add_version(world.platform.database, drafted)
    do(world, "freeze", boss)

    def use() -> None:
        with world.write() as session:
            versions.make_current(session, versions.numbered(session, "demo", 2))

    refused(use, Conflict, "board_frozen")
    assert board(world).scoring.number == 1
    do(world, "unfreeze", boss)
    use()
    assert board(world).scoring.number == 2


def test_what_was_withdrawn_since_is_left_off_and_said(world: World, ada: User, boss: User) -> None:
    world.challenge()
    entry(world, world.team("Alpha", ada), ada, 0.5)
    cheat = entry(world, world.team("Cheat"), ada, 1.0)
    do(world, "freeze", boss)
    world.set(cheat, state="withdrawn")
    assert teams(world) == ["Alpha"]
    assert any("1 submission was withdrawn" in check.text for check in view(world).checks)


def test_the_view_tells_what_to_look_at_and_what_becomes_public(world: World, ada: User, boss: User) -> None:
    world.challenge(**HIDDEN, aliases="true", closes="2099-01-01T00:00:00Z")
    team = world.team("Alpha", ada)
    entry(world, team, ada, 0.5)
    world.submission(team, ada, kind="counted", task="sample", state="test")
    found = view(world)
    assert (found.state, found.public, found.entries) == ("open", False, {"sample": 1, "pixel": 0})
    assert [check.text for check in found.checks if not check.ok] == [
        "1 counted submission is on the way: once the board is frozen, they are not on it.",
        "Counted submissions are taken until 01 January 2099, 00:00 UTC.",
        "Nobody is on the board of Pixel-level.",
        "The intervals of Sample-level are not computed yet; a worker does that when it is free.",
    ]
    assert {(item.now, item.then) for item in found.discloses} == {(False, True)}
    with world.read() as session:
        shown = reveal.previews(session, session.get_one(Challenge, "demo"))
    assert [(one.task, [row.team for row in one.rows]) for one in shown] == [
        ("sample", ["Alpha"]),
        ("pixel", []),
    ]


def test_workers_compute_the_intervals_of_the_frozen_board_and_of_the_live_one(
    world: World, ada: User, boss: User
) -> None:
    world.challenge(consensus="mean_of_places\n  bootstraps: 100")
    ranked(world, "Alpha", ada, task="sample", skill=0.9)
    do(world, "freeze", boss)
    ranked(world, "Beta", ada, task="sample", skill=0.4)
    while uncertainty.work(world.platform.database):
        pass
    frozen, live = board(world, boss), board(world, boss, live=True)
    assert [(one.total, one.uncertainty.state) for one in (frozen, live)] == [
        (1, "computed"),
        (2, "computed"),
    ]
    assert board(world, as_of=disclosure.utc(frozen.frozen_since or 0).date()).uncertainty.state == "computed"


# --- aliases ---


def test_until_the_reveal_only_organizers_see_names_and_baselines_keep_theirs(
    world: World, ada: User, boss: User
) -> None:
    world.challenge(aliases="true")
    bert = world.person("bert")
    alpha, zeta = world.team("Alpha", ada), world.team("Zeta", bert)
    for team, figure in ((alpha, 0.5), (zeta, 0.5), (world.team("Simple", baseline=True), 0.1)):
        entry(world, team, ada, figure)
    seen = board(world, bert)
    assert sorted(row.team for row in seen.rows) == sorted([alpha.alias, zeta.alias, "Simple"])
    assert [row.team for row in seen.rows if row.mine] == [zeta.alias]
    assert "Alpha" not in seen.model_dump_json()
    assert "Zeta" not in seen.model_dump_json()
    assert [row.team for row in seen.rows[:2]] == sorted([alpha.alias, zeta.alias])  # no order of names
    assert seen.aliases
    assert teams(world, boss) == ["Alpha", "Zeta", "Simple"]
    do(world, "freeze", boss)
    assert "Alpha" not in board(world).model_dump_json()
    do(world, "publish", boss)
    assert teams(world, bert) == teams(world) == ["Alpha", "Zeta", "Simple"]
