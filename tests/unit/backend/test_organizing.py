"""The organizers' daily work over HTTP: what goes on, all teams' submissions, deeds for many of them."""

from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from backend.db import now
from backend.models.audit import AuditEntry
from backend.models.challenge import Challenge
from backend.models.run import Run, WorkerSlot
from backend.models.submission import Submission
from backend.models.upload import Upload
from backend.models.user import User
from backend.organizing import live, overview, worries
from backend.organizing.schemas import Operations
from backend.organizing.search import Wish, search
from tests.unit.backend.world import World

API = "/api/v1/operations"
AP: dict[str, float | None] = {"brain": 0.9, "abdom": 0.8}


@pytest.fixture
def boss(world: World) -> dict[str, str]:
    return world.token(world.person("boss", "organizer"))


@pytest.fixture
def busy(world: World, ada: User) -> dict[str, Submission]:
    return many(world, ada)


def many(world: World, ada: User) -> dict[str, Submission]:
    """Three teams' submissions in many states, by title."""
    alpha, beta = world.team("Alpha", ada), world.team("Beta", baseline=True)
    world.challenge("other")
    other = world.team("Gamma", challenge="other")
    rows = {
        "old place": world.ranked(alpha, ada, "pixel", AP, created_at=1.0),
        "new place": world.ranked(alpha, ada, "pixel", AP, created_at=2.0),
        "disk full": world.submission(beta, ada, state="failed", failure_ours=True, created_at=3.0),
        "crash": world.submission(alpha, ada, state="failed", kind="counted", task="sample", created_at=4.0),
        "waiting": world.submission(alpha, ada, created_at=5.0),
        "elsewhere": world.submission(other, ada, state="finished", created_at=6.0),
    }
    for title, row in rows.items():
        world.set(row, title=title)
    story = {"failure_message": "The platform failed.", "failure_detail": "No space left on node7"}
    world.set(rows["disk full"], failure_code="platform", **story)
    world.set(rows["crash"], failure_code="crashed", failure_message="=cmd()")
    world.run(rows["waiting"], "verify")
    return rows


def asked(client: TestClient, who: dict[str, str], path: str, status: int = 200) -> Any:
    answer = client.get(f"{API}{path}", headers=who)
    assert answer.status_code == status, answer.text
    return answer.json()


# --- submissions of all teams ---


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ("", ["elsewhere", "waiting", "crash", "disk full", "new place", "old place"]),
        ("?challenge=other", ["elsewhere"]),
        ("?state=failed", ["crash", "disk full"]),
        ("?state=open", ["waiting"]),
        ("?kind=counted&sort=title", ["crash", "new place", "old place"]),
        ("?task=pixel&order=asc", ["old place", "new place"]),
        ("?team=BET", ["disk full"]),
        ("?code=crashed", ["crash"]),
        ("?fault=ours", ["disk full"]),
        ("?fault=theirs", ["crash"]),
        ("?text=PLACE", ["new place", "old place"]),
        ("?text=%25", []),
        ("?sort=team&order=desc&limit=1", ["elsewhere"]),
        ("?sort=title&limit=2&page=2", ["elsewhere", "new place"]),
        ("?page=99", []),
        ("?sort=finished&task=pixel", ["new place", "old place"]),
    ],
)
def test_submissions_of_all_teams_are_filtered_sorted_and_paged(
    client: TestClient, boss: dict[str, str], busy: dict[str, Submission], query: str, titles: list[str]
) -> None:
    assert [row["title"] for row in asked(client, boss, f"/submissions{query}")["items"]] == titles


def test_a_submission_is_found_by_its_id_and_told_with_the_operators_story(
    client: TestClient, boss: dict[str, str], busy: dict[str, Submission]
) -> None:
    sheet = asked(client, boss, f"/submissions?text={busy['disk full'].id[:12].upper()}")
    assert (sheet["total"], sheet["page"], sheet["pages"]) == (1, 1, 1)
    (row,) = sheet["items"]
    assert (row["failure_detail"], row["failure_ours"], row["baseline"]) == (
        "No space left on node7",
        True,
        True,
    )
    counts = {row["title"]: row["counts"] for row in asked(client, boss, "/submissions")["items"]}
    assert [title for title, yes in counts.items() if yes] == ["new place"]


@pytest.mark.parametrize("query", ["?sort=secret", "?order=up", "?page=0", "?limit=1001", "?fault=mine"])
def test_what_cannot_be_asked_of_the_list_is_said(
    client: TestClient, boss: dict[str, str], query: str
) -> None:
    assert asked(client, boss, f"/submissions{query}", 422)["error"]["code"] == "invalid_request"


def test_the_list_as_csv_has_the_same_rows_and_runs_in_no_spreadsheet(
    client: TestClient, boss: dict[str, str], busy: dict[str, Submission]
) -> None:
    answer = client.get(f"{API}/submissions?format=csv&state=failed", headers=boss)
    assert answer.headers["content-type"].startswith("text/csv")
    header, crash, full = answer.text.splitlines()
    assert header.startswith("id,challenge,team,baseline,kind,task,title,state,counts,failure,fault,message")
    assert (
        f"{busy['crash'].id},demo,Alpha,False,counted,sample,crash,failed,False,crashed,theirs,'=cmd()"
        in crash
    )
    assert "disk full,failed,False,platform,ours" in full


# --- deeds ---


def ordered(
    client: TestClient, who: dict[str, str], deed: str, *rows: Submission, reason: str = "why not"
) -> Any:
    order = {"submissions": [row.id for row in rows], "reason": reason}
    return client.post(f"{API}/submissions/{deed}", json=order, headers=who)


def test_many_are_run_again_and_what_is_refused_leaves_the_others_alone(
    client: TestClient, world: World, boss: dict[str, str], busy: dict[str, Submission]
) -> None:
    digest = world.platform.storage.put(iter([b"archive"]))
    world.set(busy["disk full"], archive_sha256=digest)
    rows = busy["disk full"], busy["crash"], busy["waiting"], busy["disk full"]
    answer = ordered(client, boss, "rerun", *rows, reason="  the disk was full ").json()
    assert [(row["title"], row["done"]) for row in answer] == [
        ("disk full", True),
        ("crash", False),
        ("waiting", False),
    ]
    assert "The archive was deleted" in answer[1]["told"]
    assert "under way" in answer[2]["told"]
    with world.read() as session:
        (entry,) = session.query(AuditEntry)
        assert (entry.actor, entry.action, entry.reason) == ("boss", "submission.rerun", "the disk was full")
        assert entry.details == {"before": {"state": "failed", "failure": "platform"}}
        assert session.get_one(Submission, busy["disk full"].id).state == "verify"
        assert session.query(Run).filter_by(submission_id=busy["disk full"].id).count() == 1


def test_every_deed_is_done_and_written_down(
    client: TestClient, world: World, boss: dict[str, str], busy: dict[str, Submission]
) -> None:
    for deed, title in (
        ("withdraw", "new place"),
        ("reinstate", "new place"),
        ("cancel", "waiting"),
    ):
        (done,) = ordered(client, boss, deed, busy[title]).json()
        assert done["done"], done
    (again,) = ordered(client, boss, "cancel", busy["waiting"]).json()
    assert (again["done"], again["told"]) == (False, "It is over: cancelled.")
    with world.read() as session:
        actions = [entry.action for entry in session.query(AuditEntry).order_by(AuditEntry.id)]
    assert actions == [f"submission.{deed}" for deed in ("withdraw", "reinstate", "cancel")]


def test_a_submission_that_is_not_there_is_told(client: TestClient, boss: dict[str, str]) -> None:
    answer = client.post(
        f"{API}/submissions/cancel", json={"submissions": ["absent"], "reason": "x"}, headers=boss
    )
    assert answer.json() == [
        {"id": "absent", "title": "", "done": False, "told": "There is no such submission."}
    ]


@pytest.mark.parametrize("reason", ["", "  ", "x" * 1001])
def test_nothing_is_done_without_a_reason(
    client: TestClient, world: World, boss: dict[str, str], busy: dict[str, Submission], reason: str
) -> None:
    assert ordered(client, boss, "withdraw", busy["new place"], reason=reason).status_code == 422
    with world.read() as session:
        assert session.get_one(Submission, busy["new place"].id).state == "ranked"
        assert session.query(AuditEntry).count() == 0


def test_only_organizers_do_any_of_it(client: TestClient, world: World, busy: dict[str, Submission]) -> None:
    eve = world.token(world.person("eve"))
    for path in ("", "/events", "/submissions"):
        asked(client, eve, path, 403)
    assert ordered(client, eve, "cancel", busy["waiting"]).status_code == 403


# --- what goes on ---


def seen(world: World) -> Operations:
    platform = world.platform
    with world.read() as session:
        return overview.overview(session, platform.storage, platform.settings)


def clock(world: World) -> float:
    with world.read() as session:
        return float(session.scalar(now().select()))


def test_lanes_tell_who_waits_how_long_and_for_which_workers(
    world: World, busy: dict[str, Submission]
) -> None:
    moment = clock(world)
    waiting = busy["waiting"]
    world.run(waiting, "toy", created_at=moment - 100)
    world.run(waiting, "test", state="running", worker="node/test-cpu-0", started_at=moment - 60)
    world.run(busy["new place"], "analysis", created_at=moment - 9e6)
    world.add(
        WorkerSlot(name="node/test-cpu-0", lane="test", device="cpu", seen_at=moment - 5),
        WorkerSlot(name="node/toy-cpu-0", lane="toy", device="cpu", seen_at=moment - 3000),
        WorkerSlot(name="gone/toy-cpu-0", lane="toy", device="cpu", seen_at=moment - 9e6),
    )
    found = seen(world)
    toy, test = found.lanes
    assert (toy.waiting, toy.running, toy.beside, toy.workers) == (2, 0, 0, 0)
    assert toy.oldest_since == moment - 100
    assert (test.waiting, test.running, test.beside, test.workers) == (0, 1, 1, 1)
    assert test.oldest_since is None
    assert [(one.name, one.silent, one.stage) for one in found.workers] == [
        ("node/test-cpu-0", False, "test"),
        ("node/toy-cpu-0", True, None),
    ]
    assert found.workers[0].submission == waiting.id
    sentences = [item.sentence for item in found.attention]
    assert "The worker node/toy-cpu-0 is silent." in sentences
    assert "No worker serves the toy lane, where 2 runs wait." in sentences


def test_failures_are_counted_by_code_ours_against_theirs(world: World, busy: dict[str, Submission]) -> None:
    moment = clock(world)
    world.set(busy["disk full"], finished_at=moment - 3600)
    world.set(busy["crash"], finished_at=moment - 3 * 86400)
    world.set(busy["old place"], finished_at=moment - 10, state="withdrawn")
    world.set(busy["new place"], finished_at=moment - 30 * 86400)
    day, week = seen(world).failures
    assert (day.days, day.ended, day.ours, day.theirs) == (1, 2, 1, 0)
    assert (week.days, week.ended, week.ours, week.theirs) == (7, 3, 1, 1)
    assert [(row.code, row.ours, row.count) for row in week.codes] == [
        ("crashed", False, 1),
        ("platform", True, 1),
    ]
    assert [item.path for item in seen(world).attention if "our fault" in item.sentence] == [
        "/organize/submissions?state=failed&fault=ours"
    ]


def test_disk_and_uploads_are_told(world: World, ada: User) -> None:
    team = world.team("Alpha", ada)
    world.platform.storage.put(iter([b"x" * 5000]))
    shared = {"user_id": ada.id, "challenge_id": team.challenge_id, "file_name": "x.tar", "sha256": "ab" * 32}
    world.add(
        Upload(**shared, size=1000, offset=400, expires_at=9e9),
        Upload(**shared, size=500, offset=500, state="complete", expires_at=9e9),
        Upload(**shared, size=500, offset=500, state="used", expires_at=9e9),
        Upload(**shared, size=500, offset=0, expires_at=5.0),
    )
    disk = seen(world).disk
    assert (disk.uploads, disk.received, disk.announced) == (2, 900, 1500)
    assert 0 < disk.free < disk.total
    assert disk.held > 5000


def test_attention_names_each_trouble_and_the_page_that_mends_it(
    world: World, busy: dict[str, Submission]
) -> None:
    found = seen(world)
    quiet = found.model_copy(update={"lanes": [], "workers": [], "challenges": []})
    disk = found.disk.model_copy(update={"total": 1000 << 30, "free": 20 << 30})
    lane = found.lanes[0].model_copy(update={"waiting": 1, "workers": 1, "oldest_since": found.at - 7200})
    line = found.challenges[0].model_copy(update={"unapproved": 2})
    world.run(busy["new place"], "analysis", state="failed", failure_code="platform")
    with world.read() as session:
        told = list(
            worries.worries(
                session, quiet.model_copy(update={"disk": disk, "lanes": [lane], "challenges": [line]})
            )
        )
    assert [item.path for item in told if "our fault and" not in item.sentence] == [
        "/organize#disk",
        "/organize/submissions?state=open&order=asc",
        "/organize/demo/analysis",
        "/organize/demo/teams",
    ]
    assert "for 2.0 hours" in told[1].sentence
    assert "2 teams of Challenge demo wait for approval." in told[-1].sentence


def test_a_platform_on_which_all_is_well_needs_nobody(world: World) -> None:
    plenty = seen(world).disk.model_copy(update={"total": 1000 << 30, "free": 900 << 30})
    found = seen(world).model_copy(update={"disk": plenty})
    with world.read() as session:
        assert list(worries.worries(session, found)) == []


def test_challenges_are_told_with_their_teams_and_submissions(
    client: TestClient, world: World, boss: dict[str, str], busy: dict[str, Submission]
) -> None:
    with world.write() as session:
        session.get_one(Challenge, "demo").title = "The demo"
    demo, other = asked(client, boss, "")["challenges"]
    assert demo == {
        "id": "demo",
        "title": "The demo",
        "teams": 2,
        "unapproved": 0,
        "submissions": 5,
        "open": 1,
        "ranked": 2,
    }
    assert (other["teams"], other["submissions"]) == (1, 1)


def test_a_change_is_told_to_who_watches_and_the_passing_of_time_only_now_and_then(
    world: World, busy: dict[str, Submission]
) -> None:
    found = seen(world)
    later = found.model_copy(update={"at": found.at // live.AGES_EVERY * live.AGES_EVERY + 1})
    same = later.model_copy(update={"at": later.at + 20, "disk": later.disk.model_copy(update={"free": 1})})
    assert live.digest(later) == live.digest(same)
    assert live.digest(later) != live.digest(later.model_copy(update={"at": later.at + live.AGES_EVERY}))
    fewer = [lane.model_copy(update={"waiting": 0}) for lane in later.lanes]
    assert live.digest(later) != live.digest(later.model_copy(update={"lanes": fewer}))


@pytest.mark.postgres
def test_postgresql_answers_as_sqlite_does(tmp_path: Path, fresh_postgres_url: str) -> None:
    with World.open(tmp_path, database_url=fresh_postgres_url) as world:
        world.challenge()
        rows, boss = many(world, world.person("ada")), world.person("boss", "organizer")
        shared = {"challenge_id": "demo", "file_name": "x.tar", "sha256": "ab" * 32, "expires_at": 9e9}
        world.add(Upload(**shared, user_id=rows["crash"].user_id, size=1 << 40, offset=1 << 39))
        world.set(rows["crash"], finished_at=clock(world) - 60)
        found = seen(world)
        assert (found.lanes[0].waiting, found.disk.received, found.failures[0].theirs) == (1, 1 << 39, 1)
        assert [line.id for line in found.challenges] == ["demo", "other"]
        with world.read() as session:
            assert list(worries.worries(session, found))
            for wish, titles in (
                (Wish(text="PLACE", sort="title"), ["new place", "old place"]),
                (Wish(fault="ours", team="bet"), ["disk full"]),
                (Wish(sort="finished", limit=1), ["crash"]),
                (Wish(state="open", sort="team", order="desc"), ["waiting"]),
            ):
                assert [row.title for row in search(session, boss, wish).items] == titles
