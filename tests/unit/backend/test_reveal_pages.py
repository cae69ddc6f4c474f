"""The organizers' pages of reveal and settings, the same over HTTP and on the console."""

import re

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from backend.models.audit import AuditEntry
from backend.models.challenge import Challenge
from backend.models.user import User
from challenges import spec
from tests.unit.backend.browsing import Visitor, visitor
from tests.unit.backend.world import World

REVEAL, SETTINGS, BOARD = "/organize/demo/reveal", "/organize/demo/settings", "/challenges/demo/leaderboard"
API = "/api/v1/challenges/demo"


@pytest.fixture
def ada(world: World) -> User:
    world.challenge(leaderboard="after_reveal", own_score="after_reveal", aliases="true")
    return world.person("ada")


@pytest.fixture
def boss(world: World, client: TestClient, ada: User) -> Visitor:
    world.person("boss", "organizer")
    alpha = world.team("Alpha", ada)
    world.ranked(alpha, ada, "sample", {"brain": 0.123456, "abdom": 0.8})
    return visitor(client).sign_in("boss")


def seen(page: str) -> str:
    found = re.search(r'name="seen" value="(\w+)"', page)
    assert found
    return found[1]


def test_an_organizer_previews_freezes_publishes_and_undoes(boss: Visitor, client: TestClient) -> None:
    stranger = visitor(client)
    page = boss.get(REVEAL)
    assert "Only organizers see it." in page
    assert "Alpha" in page
    assert "0.123" in page
    assert "0.123456" not in page
    for deed, state, status in (
        ("freeze", "The board is frozen since", 403),
        ("publish", "The board is published since", 200),
        ("unpublish", "The board is frozen since", 403),
        ("unfreeze", "The board is open", 403),
    ):
        answer = boss.post(REVEAL, f"{REVEAL}/{deed}", reason="so decided", seen=seen(boss.get(REVEAL)))
        assert state in answer.text
        board = stranger.get(f"{BOARD}?task=sample", status)
        assert ("Alpha" in board, "Frozen since" in board) == (status == 200, status == 200)


def test_what_cannot_be_done_is_said_in_place(boss: Visitor) -> None:
    answer = boss.post(REVEAL, f"{REVEAL}/freeze", reason=" ", seen="")
    assert (answer.status_code, "Say why" in answer.text) == (422, True)
    answer = boss.post(REVEAL, f"{REVEAL}/freeze", reason="kept words", seen="of another board")
    assert (answer.status_code, "has changed since you looked" in answer.text) == (409, True)
    assert 'value="kept words"' in answer.text
    assert boss.post(REVEAL, f"{REVEAL}/melt", reason="x").status_code == 422


def test_settings_are_shown_before_they_are_changed(boss: Visitor, world: World) -> None:
    page = boss.get(SETTINGS)
    assert "dates.closes" in page
    assert 'name="dates.opens"' not in page
    fields = {"dates.closes": "2030-01-01T10:00", "publication.aliases": "false", "reason": "more time"}
    answer = boss.post(SETTINGS, SETTINGS, **fields, step="look")
    assert "This would change" in answer.text
    assert "2030-01-01 10:00:00 UTC" in answer.text
    assert rules(world).dates.closes is None
    answer = boss.post(SETTINGS, SETTINGS, **fields, step="change")
    assert answer.url.path == SETTINGS
    assert rules(world).dates.closes is not None
    answer = boss.post(SETTINGS, SETTINGS, reset="dates.closes", reason="no", step="change")
    assert rules(world).dates.closes is None
    with world.read() as session:
        assert len(session.scalars(select(AuditEntry)).all()) == 3


def test_what_a_change_makes_public_is_said_before(boss: Visitor) -> None:
    fields = {"publication.leaderboard": "live", "reason": "x"}
    page = boss.post(SETTINGS, SETTINGS, **fields, step="look").text
    assert "The leaderboard: everybody sees it at once." in page
    assert "own scores: everybody" not in page


def test_a_wrong_setting_is_marked_where_it_is(boss: Visitor) -> None:
    fields = {"dates.closes": "soon", "teams.max_members": "3", "reason": "x", "step": "look"}
    answer = boss.post(SETTINGS, SETTINGS, **fields)
    assert answer.status_code == 422
    assert 'id="dates.closes-wrong">write a moment' in answer.text
    assert 'value="soon"' in answer.text


def rules(world: World) -> spec.Challenge:
    with world.read() as session:
        found: Challenge = session.get_one(Challenge, "demo")
        return found.spec


def test_only_organizers_see_and_do_any_of_it(boss: Visitor, client: TestClient) -> None:
    ada = visitor(client).sign_in("ada")
    for path in (REVEAL, SETTINGS):
        ada.get(path, 403)
        assert ada.post("/account", path + "/freeze" * (path == REVEAL), reason="x").status_code == 403
    for method, path in (
        ("get", "reveal"),
        ("get", "settings"),
        ("post", "reveal/freeze"),
        ("patch", "settings"),
    ):
        assert getattr(ada.client, method)(f"{API}/{path}").status_code in (403, 401)


def test_programs_do_the_same(boss: Visitor, world: World, client: TestClient) -> None:
    token = world.token(world.person("olga", "organizer"))
    view = client.get(f"{API}/reveal", headers=token).json()
    assert (view["state"], view["entries"]) == ("open", {"sample": 1, "pixel": 0})
    decision = {"reason": "so decided", "seen": view["seen"]}
    assert client.post(f"{API}/reveal/freeze", headers=token, json=decision).json()["state"] == "frozen"
    answer = client.post(f"{API}/reveal/freeze", headers=token, json={"reason": ""})
    assert answer.json()["error"]["code"] == "reason_missing"
    changes = {"values": {"teams.max_members": 3}, "reason": "small teams"}
    told = client.patch(f"{API}/settings", headers=token, json=changes).json()
    assert {"name": "teams.max_members", "written": 10, "present": 3} in told
    answer = client.patch(f"{API}/settings", headers=token, json=changes | {"values": {"limits.memory": 1}})
    assert answer.json()["error"]["code"] == "no_such_setting"


def test_a_team_finds_its_own_row_under_its_alias(boss: Visitor, world: World, client: TestClient) -> None:
    with world.write() as session:
        challenge = session.get_one(Challenge, "demo")
        challenge.spec_text = challenge.spec_text.replace("leaderboard: after_reveal", "leaderboard: live")
    ada = visitor(client).sign_in("ada")
    page = ada.get(f"{BOARD}?task=sample")
    assert "Alpha" not in page
    assert "yours" in page
    assert "Until the reveal teams have aliases" in page
    assert "No team fits." in ada.get(f"{BOARD}?task=sample&team=alph")
    assert "Alpha" not in client.get(f"{API}/leaderboard?task=sample&format=csv").text
    assert "Alpha" in boss.get(f"{BOARD}?task=sample")
