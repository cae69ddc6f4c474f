import pytest
from fastapi.testclient import TestClient
from httpx import Response

from backend.models.team import Invitation, Team
from backend.models.user import User
from tests.unit.backend.world import World

TEAM = "/api/v1/challenges/demo/team"


@pytest.fixture
def people(world: World) -> dict[str, dict[str, str]]:
    world.challenge()
    return {name: world.token(world.person(name)) for name in ("ada", "bob", "eve")}


def invited(client: TestClient, headers: dict[str, str]) -> str:
    answer = client.post(f"{TEAM}/invitations", headers=headers)
    assert answer.status_code == 201
    return str(answer.json()["token"])


def join(client: TestClient, headers: dict[str, str], token: str) -> tuple[int, str]:
    answer = client.post(f"{TEAM}/join", json={"token": token}, headers=headers)
    return answer.status_code, answer.json().get("error", {}).get("code", "")


def test_a_founder_invites_and_the_guest_joins(client: TestClient, people: dict[str, dict[str, str]]) -> None:
    made = client.post(f"{TEAM}s", json={"name": "Alpha"}, headers=people["ada"])
    assert made.status_code == 201
    assert made.json()["approved"] is True
    assert join(client, people["bob"], invited(client, people["ada"]))[0] == 200
    team = client.get(TEAM, headers=people["bob"]).json()
    assert team["id"] == made.json()["id"]
    assert {member["name"] for member in team["members"]} == {"ada", "bob"}


def test_a_person_has_one_team_in_a_challenge(client: TestClient, people: dict[str, dict[str, str]]) -> None:
    client.post(f"{TEAM}s", json={"name": "Alpha"}, headers=people["ada"])
    client.post(f"{TEAM}s", json={"name": "Beta"}, headers=people["bob"])
    second = client.post(f"{TEAM}s", json={"name": "Gamma"}, headers=people["ada"])
    assert second.json()["error"]["code"] == "has_team"
    assert join(client, people["bob"], invited(client, people["ada"])) == (409, "has_team")


def test_a_person_may_have_a_team_in_another_challenge(
    world: World, client: TestClient, people: dict[str, dict[str, str]]
) -> None:
    world.challenge("other")
    for challenge in ("demo", "other"):
        path = f"/api/v1/challenges/{challenge}/teams"
        assert client.post(path, json={"name": "Alpha"}, headers=people["ada"]).status_code == 201


def test_an_invitation_admits_one_person_once(client: TestClient, people: dict[str, dict[str, str]]) -> None:
    client.post(f"{TEAM}s", json={"name": "Alpha"}, headers=people["ada"])
    token = invited(client, people["ada"])
    assert join(client, people["bob"], token)[0] == 200
    assert join(client, people["eve"], token) == (404, "no_such_invitation")


def test_an_invitation_expires_and_is_for_its_own_challenge(
    world: World, client: TestClient, people: dict[str, dict[str, str]]
) -> None:
    world.challenge("other")
    client.post(f"{TEAM}s", json={"name": "Alpha"}, headers=people["ada"])
    token = invited(client, people["ada"])
    elsewhere = client.post(
        "/api/v1/challenges/other/team/join", json={"token": token}, headers=people["bob"]
    )
    assert elsewhere.status_code == 404
    with world.write() as session:
        for invitation in session.query(Invitation):
            assert invitation.token_hash != token
            invitation.expires_at = 1.0
    assert join(client, people["bob"], token) == (404, "no_such_invitation")


def test_a_full_team_admits_nobody(world: World, client: TestClient) -> None:
    world.challenge(max_members="1")
    ada, bob = (world.token(world.person(name)) for name in ("ada", "bob"))
    client.post(f"{TEAM}s", json={"name": "Alpha"}, headers=ada)
    token = invited(client, ada)
    assert join(client, bob, token) == (409, "team_full")


def test_where_organizers_approve_a_new_team_waits(world: World, client: TestClient) -> None:
    world.challenge(approval="true")
    ada = world.token(world.person("ada"))
    assert client.post(f"{TEAM}s", json={"name": "Alpha"}, headers=ada).json()["approved"] is False


@pytest.mark.parametrize("name", ["", " ", "A", "x" * 61, "tab\there", "\u202ereversed"])
def test_a_name_that_misleads_readers_is_refused(
    client: TestClient, people: dict[str, dict[str, str]], name: str
) -> None:
    answer = client.post(f"{TEAM}s", json={"name": name}, headers=people["ada"])
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "team_name")


def test_a_name_is_taken_once_per_challenge(client: TestClient, people: dict[str, dict[str, str]]) -> None:
    client.post(f"{TEAM}s", json={"name": "Alpha"}, headers=people["ada"])
    second = client.post(f"{TEAM}s", json={"name": "Alpha"}, headers=people["bob"])
    assert (second.status_code, second.json()["error"]["code"]) == (409, "team_exists")


def test_there_is_no_team_in_a_challenge_that_is_not_there(
    client: TestClient, people: dict[str, dict[str, str]]
) -> None:
    path = "/api/v1/challenges/absent/teams"
    assert client.post(path, json={"name": "Alpha"}, headers=people["ada"]).status_code == 404
    assert client.get(TEAM, headers=people["ada"]).json()["error"]["code"] == "no_team"


def error(answer: Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_open_invitations_are_listed_without_their_secret_and_revoked_by_any_member(
    client: TestClient, people: dict[str, dict[str, str]]
) -> None:
    client.post(f"{TEAM}s", json={"name": "Alpha"}, headers=people["ada"])
    first, second = invited(client, people["ada"]), invited(client, people["ada"])
    assert join(client, people["bob"], first)[0] == 200
    answer = client.get(f"{TEAM}/invitations", headers=people["bob"])
    (listed,) = answer.json()
    assert listed["made_by"] == "ada"
    assert second not in answer.text
    path = f"{TEAM}/invitations/{listed['id']}"
    assert error(client.delete(path, headers=people["eve"])) == (404, "no_team")
    assert client.delete(path, headers=people["bob"]).status_code == 204
    assert error(client.delete(path, headers=people["bob"])) == (404, "no_such_invitation")
    assert join(client, people["eve"], second) == (404, "no_such_invitation")


def test_a_member_leaves_takes_their_invitations_along_and_may_join_elsewhere(
    client: TestClient, people: dict[str, dict[str, str]]
) -> None:
    client.post(f"{TEAM}s", json={"name": "Alpha"}, headers=people["ada"])
    join(client, people["bob"], invited(client, people["ada"]))
    by_bob = invited(client, people["bob"])
    assert client.post(f"{TEAM}/leave", headers=people["bob"]).status_code == 204
    assert error(client.get(TEAM, headers=people["bob"])) == (404, "no_team")
    assert join(client, people["eve"], by_bob) == (404, "no_such_invitation")
    assert client.post(f"{TEAM}s", json={"name": "Beta"}, headers=people["bob"]).status_code == 201


def test_an_empty_team_goes_with_its_last_member_and_one_with_submissions_keeps_them(
    client: TestClient, world: World, people: dict[str, dict[str, str]]
) -> None:
    client.post(f"{TEAM}s", json={"name": "Alpha"}, headers=people["ada"])
    invited(client, people["ada"])
    assert client.post(f"{TEAM}/leave", headers=people["ada"]).status_code == 204
    assert client.post(f"{TEAM}s", json={"name": "Alpha"}, headers=people["bob"]).status_code == 201
    with world.read() as session:
        team, bob = session.query(Team).one(), session.query(User).filter_by(name="bob").one()
    world.submission(team, bob)
    assert error(client.post(f"{TEAM}/leave", headers=people["bob"])) == (409, "cannot_leave")


def test_who_handed_in_a_counted_submission_stays(
    client: TestClient, world: World, people: dict[str, dict[str, str]]
) -> None:
    client.post(f"{TEAM}s", json={"name": "Alpha"}, headers=people["ada"])
    join(client, people["bob"], invited(client, people["ada"]))
    with world.read() as session:
        team, bob = session.query(Team).one(), session.query(User).filter_by(name="bob").one()
    world.submission(team, bob, kind="counted", task="pixel")
    answer = client.post(f"{TEAM}/leave", headers=people["bob"])
    assert error(answer) == (409, "cannot_leave")
    assert "start anew" in answer.json()["error"]["message"]
    assert client.post(f"{TEAM}/leave", headers=people["ada"]).status_code == 204
