"""The organizers' pages, as somebody without JavaScript walks through them."""

import re
from html import unescape
from typing import Any

import pytest
from fastapi.testclient import TestClient

from backend.models.audit import AuditEntry
from backend.models.reveal import FrozenBoard
from backend.models.run import WorkerSlot
from backend.models.submission import Submission
from backend.models.user import User
from tests.unit.backend.browsing import Visitor, visitor
from tests.unit.backend.world import World

AP: dict[str, float | None] = {"brain": 0.9, "abdom": 0.8}
LIST = "/organize/submissions"


@pytest.fixture
def boss(client: TestClient, world: World) -> Visitor:
    world.person("boss", "organizer")
    return visitor(client).sign_in("boss")


@pytest.fixture
def rows(world: World, ada: User) -> list[Submission]:
    """A team's two ranked submissions and one that failed by our fault."""
    team = world.team("Alpha", ada)
    first, second = (
        world.ranked(team, ada, "pixel", AP, title=f"try {n}", created_at=float(n)) for n in (1, 2)
    )
    failed = world.submission(team, ada, title="<b>unlucky</b>", state="failed", failure_ours=True)
    world.set(failed, failure_code="platform", failure_message="Ours.", failure_detail="node7 had no disk")
    return [first, second, failed]


def plan(boss: Visitor, deed: str, *rows: Submission, view: str = "") -> str:
    return boss.get(address(deed, *rows, view=view))


def address(deed: str, *rows: Submission, view: str = "") -> str:
    return f"{LIST}/plan?deed={deed}&view={view}" + "".join(f"&id={row.id}" for row in rows)


def do(boss: Visitor, deed: str, *rows: Submission, reason: str = "why not", view: str = "") -> Any:
    ids = [row.id for row in rows]
    return boss.post(address(deed, *rows), f"{LIST}/do", deed=deed, id=ids, reason=reason, view=view)


def entries(world: World) -> list[AuditEntry]:
    with world.read() as session:
        return session.query(AuditEntry).order_by(AuditEntry.id).all()


def test_the_list_holds_what_was_asked_for_and_leads_to_the_same_for_programs(
    boss: Visitor, rows: list[Submission]
) -> None:
    everything = boss.get(LIST)
    assert "node7 had no disk" in everything
    assert "&lt;b&gt;unlucky" in everything
    assert 'aria-sort="descending"' in everything
    failed = boss.get(f"{LIST}?state=failed&fault=ours")
    assert "try 1" not in failed
    export = re.search(r'href="(/api/v1/operations/submissions\?[^"]*format=csv[^"]*)"', failed)
    assert export is not None
    csv = boss.get(unescape(export[1]))
    assert csv.count("\n") == 2
    assert "No submission fits" in boss.get(f"{LIST}?team=nobody")
    assert "There is no such page" in boss.get(f"{LIST}?page=9")
    assert "Nothing was handed in yet" not in everything


def test_all_of_a_page_are_chosen_without_a_script(boss: Visitor, rows: list[Submission]) -> None:
    html = boss.get(f"{LIST}?kind=counted")
    assert " checked" not in html
    link = re.search(r'href="([^"]*check=all[^"]*)"', html)
    assert link is not None
    assert boss.get(unescape(link[1])).count(" checked") == 2


def test_pages_follow_one_another_and_keep_what_was_asked(boss: Visitor, rows: list[Submission]) -> None:
    first = boss.get(f"{LIST}?limit=2&sort=title")
    assert "3 submissions, page 1 of 2" in first
    following = re.search(r'href="([^"]*)" rel="next"', first)
    assert following is not None
    second = boss.get(unescape(following[1]))
    assert "page 2 of 2" in second
    assert "try 2" in second
    assert 'rel="prev"' in second


def test_a_bulk_deed_is_told_first_asks_why_and_reports_each_outcome(
    boss: Visitor, world: World, rows: list[Submission]
) -> None:
    view = "challenge%3Ddemo%26page%3D2"
    html = plan(boss, "withdraw", *rows, view=view)
    assert "1 of 3 would be refused" in html
    assert "Only a ranked submission is withdrawn; it is failed." in html
    assert "a later submission of the team counts" in html
    assert "The team’s “try 1” counts instead." in html
    assert entries(world) == []
    answer = do(boss, "withdraw", *rows, reason="two images in one", view="challenge=demo&page=2")
    assert answer.history[0].status_code == 303
    assert "Withdraw: 2 of 3 done" in answer.text
    assert "Only a ranked submission is withdrawn; it is failed." in answer.text
    assert 'href="/organize/submissions?challenge=demo&amp;page=2"' in answer.text
    assert [(entry.actor, entry.subject, entry.reason) for entry in entries(world)] == [
        ("boss", rows[0].id, "two images in one"),
        ("boss", rows[1].id, "two images in one"),
    ]
    assert "2 of 3 done" in boss.get(str(answer.url).removeprefix("http://testserver"))
    board = boss.get("/challenges/demo/leaderboard?task=pixel")
    assert "No submission was ranked yet" in board
    assert "None of them can be changed so" in plan(boss, "withdraw", rows[0])
    assert "the team’s later “try 2” counts" not in plan(boss, "reinstate", rows[0])
    do(boss, "reinstate", rows[1])
    assert "the team’s later “try 2” counts" in plan(boss, "reinstate", rows[0])


def test_without_a_reason_nothing_happens_and_what_was_chosen_stays(
    boss: Visitor, world: World, rows: list[Submission]
) -> None:
    answer = do(boss, "withdraw", rows[0], reason="  ")
    assert answer.status_code == 422
    assert "Say why" in answer.text
    assert f'name="id" value="{rows[0].id}"' in answer.text
    assert entries(world) == []


def test_nothing_chosen_is_told_and_an_unknown_deed_is_none(boss: Visitor, rows: list[Submission]) -> None:
    assert "No submission was chosen" in plan(boss, "rerun")
    boss.get(f"{LIST}/plan?deed=destroy&id={rows[0].id}", 422)
    answer = boss.post(LIST + "/plan?deed=cancel", f"{LIST}/do", deed="destroy", id=rows[0].id, reason="x")
    assert answer.status_code in (403, 422)


def test_a_frozen_board_refuses_and_leads_to_where_it_is_unfrozen(
    boss: Visitor, world: World, rows: list[Submission]
) -> None:
    frozen = FrozenBoard(
        challenge_id="demo", scoring_version_id=world.scoring(), entries={"pixel": [rows[1].id]}
    )
    world.add(frozen)
    html = plan(boss, "withdraw", rows[1])
    assert "Unfreeze the board first" in html
    assert 'href="/organize/demo/reveal"' in html
    assert "Leave them as they are" not in html


@pytest.mark.parametrize(
    ("state", "deeds"),
    [
        ("ranked", {"withdraw", "rescore", "rerun"}),
        ("withdrawn", {"reinstate", "rescore"}),
        ("failed", {"rerun"}),
        ("toy", {"cancel"}),
    ],
)
def test_a_submissions_own_page_offers_what_may_be_done(
    boss: Visitor, world: World, rows: list[Submission], state: str, deeds: set[str]
) -> None:
    world.set(rows[0], state=state)
    html = boss.get(f"/submissions/{rows[0].id}")
    assert set(re.findall(r'name="deed" value="(\w+)"', html)) == deeds
    ada = visitor(boss.client).sign_in("ada")
    assert 'name="deed"' not in ada.get(f"/submissions/{rows[0].id}")


def test_the_team_sees_that_it_was_withdrawn_and_not_why(
    client: TestClient, boss: Visitor, rows: list[Submission]
) -> None:
    do(boss, "withdraw", rows[1], reason="secret reason")
    html = visitor(client).sign_in("ada").get(f"/submissions/{rows[1].id}")
    assert "withdrawn by the organizers" in html
    assert "secret reason" not in html


def test_the_log_tells_who_what_and_why_and_leads_to_what_it_was_done_to(
    boss: Visitor, rows: list[Submission]
) -> None:
    assert "Nothing was done yet" in boss.get("/organize/audit")
    do(boss, "withdraw", rows[1], reason="a <reason>\nin two lines")
    html = boss.get("/organize/audit?challenge=demo&actor=boss&action=submission.withdraw")
    assert "a &lt;reason&gt;" in html
    assert f'href="/submissions/{rows[1].id}"' in html
    assert "1 deed" in html
    assert "No entry fits" in boss.get("/organize/audit?actor=nobody")


def test_teams_are_approved_and_marked_with_their_submissions_counted(
    boss: Visitor, world: World, ada: User, rows: list[Submission]
) -> None:
    team = rows[0].team_id
    new = world.team("Newcomers")
    world.set(new, approved_at=None)
    here = "/organize/demo/teams"
    html = boss.get(here)
    assert f'href="/organize/submissions?challenge=demo&amp;team={team}">3</a>' in html
    assert html.count(">Approve<") == 1
    boss.post(here, f"{here}/{new.id}/approve")
    boss.post(here, f"{here}/{team}/baseline", baseline="true", reason="ours")
    html = boss.get(here)
    assert ">Approve<" not in html
    assert html.count("baseline</span>") == 1
    boss.post(here, f"{here}/{team}/baseline", baseline="false")
    assert "baseline</span>" not in boss.get(here)
    assert [(entry.action, entry.subject, entry.reason) for entry in entries(world)] == [
        ("team.approve", new.id, ""),
        ("team.baseline", team, "ours"),
        ("team.baseline", team, ""),
    ]
    assert "Newcomers" in boss.get("/organize/audit?action=team")
    assert boss.post(here, f"{here}/absent/approve").status_code == 404


def test_the_dashboard_tells_queue_workers_disk_failures_and_what_needs_somebody(
    boss: Visitor, world: World, rows: list[Submission]
) -> None:
    world.run(rows[2], "toy")
    world.set(world.team("Waiting"), approved_at=None)
    world.add(WorkerSlot(name="node7/toy-cpu-0", lane="toy", device="cpu", seen_at=5e9))
    with world.read() as session:
        ended = session.get_one(Submission, rows[2].id)
    assert ended.finished_at is None
    html = boss.get("/organize")
    assert "1 team of Challenge demo waits for approval." in html
    assert "node7/toy-cpu-0" in html
    assert 'hx-sse:connect="/api/v1/operations/events"' in html
    assert '<meta http-equiv="refresh" content="30">' in html
    for place in ("teams", "analysis", "scoring", "reveal", "settings", "export"):
        assert f'href="/organize/demo/{place}"' in html


def test_an_empty_platform_says_what_to_do_first(boss: Visitor) -> None:
    html = boss.get("/organize")
    assert "No worker was heard of" in html
    assert "No challenge is registered yet" in html
    assert "No submission ended in the last week" in html


@pytest.mark.parametrize(
    "path", ["", "/submissions", "/submissions/plan?deed=rerun", "/audit", "/demo/teams"]
)
def test_participants_see_none_of_it(client: TestClient, rows: list[Submission], path: str) -> None:
    visitor(client).sign_in("ada").get(f"/organize{path}", 403)
