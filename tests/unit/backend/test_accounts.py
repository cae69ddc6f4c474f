import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import pytest
from fastapi import Depends, Form, Request, Response
from fastapi.testclient import TestClient

from backend.accounts import passwords, service, sessions
from backend.accounts.dependencies import CurrentUser, OptionalUser, anonymous_form, csrf_token
from backend.accounts.sessions import COOKIE, SignedIn
from backend.config import Settings
from backend.main import create_app
from backend.models.user import User, WebSession
from tests.unit.backend.world import PASSWORD, World


def log_in(client: TestClient, name: str = "ada", password: str = PASSWORD) -> tuple[int, str]:
    answer = client.post("/api/v1/tokens", json={"name": name, "password": password, "token_name": "laptop"})
    return answer.status_code, answer.json().get("token", "")


def cookie_of(world: World, client: TestClient, user: User) -> SignedIn:
    with world.write() as session:
        signed_in = sessions.open_session(session, user, world.platform.settings)
    client.cookies.set(COOKIE, signed_in.secret)
    return signed_in


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_a_newcomer_signs_up_logs_in_and_is_known(client: TestClient) -> None:
    person = {"name": "ada", "email": "Ada@Example.org", "password": PASSWORD}
    made = client.post("/api/v1/accounts", json=person)
    assert made.status_code == 201
    assert made.json()["role"] == "participant"
    assert PASSWORD not in made.text
    status, token = log_in(client)
    assert status == 201
    assert token.startswith("mood_")
    me = client.get("/api/v1/me", headers=bearer(token)).json()
    assert me == made.json()
    assert me["email"] == "ada@example.org"


@pytest.mark.parametrize("name", ["ada@example.org", "ADA", " ada "])
def test_one_may_log_in_by_name_or_address_in_any_case(world: World, client: TestClient, name: str) -> None:
    world.person("ada")
    assert log_in(client, name)[0] == 201


@pytest.mark.parametrize(
    ("name", "email"),
    [("ada", "other@example.org"), ("ADA", "other@example.org"), ("other", "ADA@example.org")],
)
def test_a_name_or_address_belongs_to_one_account(
    world: World, client: TestClient, name: str, email: str
) -> None:
    world.person("ada")
    answer = client.post("/api/v1/accounts", json={"name": name, "email": email, "password": PASSWORD})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "account_exists")


@pytest.mark.parametrize(
    ("name", "email", "password", "code"),
    [
        ("ada", "a@b.org", "too short", "password_length"),
        ("ada-lovelace", "a@b.org", "Ada-Lovelace", "password_is_name"),
        ("ada", "lovelace.ada@b.org", "lovelace.ada", "password_is_name"),
        ("ada", "a@b.org", "aaaaaaaaaaaaaa", "password_monotonous"),
        ("a", "a@b.org", PASSWORD, "name_invalid"),
        ("../ada", "a@b.org", PASSWORD, "name_invalid"),
        ("ada", "nobody", PASSWORD, "email_invalid"),
    ],
)
def test_what_cannot_be_an_account_is_refused_with_its_reason(
    client: TestClient, name: str, email: str, password: str, code: str
) -> None:
    answer = client.post("/api/v1/accounts", json={"name": name, "email": email, "password": password})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, code)


def test_nobody_signs_up_as_organizer(client: TestClient) -> None:
    person = {"name": "eve", "email": "e@b.org", "password": PASSWORD, "role": "organizer"}
    assert client.post("/api/v1/accounts", json=person).json()["role"] == "participant"


def test_an_unknown_name_and_a_wrong_password_are_told_alike(world: World, client: TestClient) -> None:
    world.person("ada")
    body = {"name": "ada", "password": "wrong password"}
    wrong = client.post("/api/v1/tokens", json=body)
    unknown = client.post("/api/v1/tokens", json=body | {"name": "nobody"})
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json() == unknown.json()


def test_an_unknown_name_costs_as_much_work_as_a_wrong_password(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[str] = []

    class Counting:
        def verify(self, stored: str, password: str) -> bool:
            hashed.append(stored)
            return True

    monkeypatch.setattr(passwords, "_hasher", Counting())
    assert passwords.verify("$argon2id$stored", "anything") is True
    assert passwords.verify(None, "anything") is False
    assert len(hashed) == 2


def test_the_eleventh_attempt_is_refused_even_with_the_right_password(
    world: World, client: TestClient
) -> None:
    world.person("ada")
    assert [log_in(client, password="wrong password")[0] for _ in range(10)] == [401] * 10
    assert log_in(client)[0] == 429
    assert log_in(client, "ADA")[0] == 429
    world.person("bob")
    assert log_in(client, "bob")[0] == 201


def test_whoever_signs_in_starts_counting_anew(world: World, client: TestClient) -> None:
    world.person("ada")
    for _ in range(3):
        assert [log_in(client, password="wrong password")[0] for _ in range(6)] == [401] * 6
        assert log_in(client)[0] == 201


def test_trying_many_names_from_one_address_is_throttled_too(world: World, client: TestClient) -> None:
    statuses = {log_in(client, f"name{number}", "x")[0] for number in range(51)}
    assert statuses == {401, 429}


def test_a_token_that_was_revoked_opens_nothing(world: World, client: TestClient) -> None:
    headers = world.token(world.person("ada"))
    other = world.token(world.person("bob"))
    [token] = client.get("/api/v1/tokens", headers=headers).json()["items"]
    assert "token" not in token
    assert client.delete(f"/api/v1/tokens/{token['id']}", headers=other).status_code == 404
    assert client.delete(f"/api/v1/tokens/{token['id']}", headers=headers).status_code == 204
    answer = client.get("/api/v1/me", headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "token_invalid")


def test_tokens_come_in_pages(world: World, client: TestClient) -> None:
    ada = world.person("ada")
    headers, *_ = [world.token(ada) for _ in range(5)]
    seen: list[str] = []
    after = ""
    while True:
        found = client.get("/api/v1/tokens", headers=headers, params={"limit": 2, "after": after}).json()
        seen += [token["id"] for token in found["items"]]
        if not (after := found["next"]):
            break
    assert len(seen) == len(set(seen)) == 5


@pytest.mark.parametrize("header", ["Bearer wrong", "Basic YWRhOmFkYQ==", "", "Bearer"])
def test_a_wrong_token_is_never_taken_for_nobody(world: World, client: TestClient, header: str) -> None:
    cookie_of(world, client, world.person("ada"))
    assert client.get("/api/v1/me", headers={"Authorization": header}).status_code == 401


def test_a_closed_account_is_shut_out_at_once(world: World, client: TestClient) -> None:
    ada = world.person("ada")
    headers = world.token(ada)
    cookie_of(world, client, ada)
    with world.write() as session:
        service.set_active(session, ada, False)
    assert client.get("/api/v1/me").status_code == 401
    client.cookies.clear()
    assert client.get("/api/v1/me", headers=headers).status_code == 401
    assert log_in(client)[0] == 401


def test_a_password_that_was_reset_ends_sessions_and_tokens(world: World, client: TestClient) -> None:
    ada = world.person("ada")
    headers = world.token(ada)
    cookie_of(world, client, ada)
    with world.write() as session:
        service.set_password(session, service.by_name(session, "ada"), "another long password")
    assert client.get("/api/v1/me").status_code == 401
    client.cookies.clear()
    assert client.get("/api/v1/me", headers=headers).status_code == 401
    assert log_in(client)[0] == 401
    assert log_in(client, password="another long password")[0] == 201


def test_with_a_cookie_nothing_changes_without_the_csrf_token(world: World, client: TestClient) -> None:
    world.challenge()
    signed_in = cookie_of(world, client, world.person("ada"))
    assert client.get("/api/v1/me").status_code == 200
    path, body = "/api/v1/challenges/demo/teams", {"name": "Alpha"}
    for headers in ({}, {"X-CSRF-Token": "wrong"}, {"X-CSRF-Token": signed_in.secret}):
        answer = client.post(path, json=body, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "csrf")
    answer = client.post(path, json=body, headers={"X-CSRF-Token": signed_in.csrf})
    assert answer.status_code == 201


def test_a_form_proves_that_our_page_made_it(world: World) -> None:
    app = create_app(world.platform)

    @app.get("/form")
    def form(request: Request, user: OptionalUser) -> str:
        return csrf_token(request)

    @app.post("/form", dependencies=[Depends(anonymous_form)])
    def handle_form(word: Annotated[str, Form()]) -> str:
        return word

    @app.post("/member-form")
    def handle_member_form(user: CurrentUser, word: Annotated[str, Form()]) -> str:
        return word

    with TestClient(app) as client, TestClient(app) as stranger:
        token = client.get("/form").json()
        assert "HttpOnly" in client.get("/form").headers.get("set-cookie", "HttpOnly")
        assert client.get("/form").json() == token
        assert client.post("/form", data={"word": "yes", "csrf": token}).json() == "yes"
        for data in ({"word": "no"}, {"word": "no", "csrf": ""}, {"word": "no", "csrf": "wrong"}):
            assert client.post("/form", data=data).status_code == 403
        assert stranger.post("/form", data={"word": "no", "csrf": token}).status_code == 403
        assert stranger.post("/form", data={"word": "no", "csrf": ""}).status_code == 403
        signed_in = cookie_of(world, client, world.person("ada"))
        assert client.get("/form").json() == signed_in.csrf
        assert client.post("/member-form", data={"word": "no", "csrf": token}).status_code == 403
        assert client.post("/member-form", data={"word": "yes", "csrf": signed_in.csrf}).json() == "yes"


def test_a_session_ends_with_its_time_and_with_signing_out(world: World, client: TestClient) -> None:
    ada = world.person("ada")
    signed_in = cookie_of(world, client, ada)
    with world.write() as session:
        session.get_one(WebSession, passwords.digest(signed_in.secret)).expires_at = 1.0
    assert client.get("/api/v1/me").status_code == 401
    again = cookie_of(world, client, ada)
    assert client.get("/api/v1/me").status_code == 200
    with world.write() as session:
        sessions.close_session(session, again.secret)
    assert client.get("/api/v1/me").status_code == 401


@pytest.mark.parametrize(("base_url", "secure"), [("https://arena.org", True), ("http://127.0.0.1", False)])
def test_the_cookie_is_out_of_reach_of_scripts_and_strangers(
    tmp_path: Path, base_url: str, secure: bool
) -> None:
    response = Response()
    sessions.set_cookie(response, SignedIn("secret", "csrf"), Settings(data=tmp_path, base_url=base_url))
    cookie = response.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert ("Secure" in cookie) is secure


def test_no_secret_is_stored_as_it_is(world: World, client: TestClient) -> None:
    ada = world.person("ada")
    token = world.token(ada)["Authorization"].removeprefix("Bearer ")
    signed_in = cookie_of(world, client, ada)
    path = world.platform.settings.database.removeprefix("sqlite:///")
    stored = "\n".join(sqlite3.connect(path).iterdump())
    assert "$argon2id$" in stored
    for secret in (PASSWORD, token, signed_in.secret):
        assert secret not in stored


def test_participants_cannot_reach_what_is_for_organizers(world: World, client: TestClient) -> None:
    world.challenge()
    team = world.team("Alpha")
    ada, orga = world.token(world.person("ada")), world.token(world.person("orga", "organizer"))
    assert client.get("/api/v1/challenges/demo/teams", headers=ada).status_code == 403
    assert client.get("/api/v1/challenges/demo/teams").status_code == 401
    approve = f"/api/v1/challenges/demo/teams/{team.id}/approve"
    assert client.post(approve, headers=ada).status_code == 403
    assert client.post(approve, headers=orga).json()["approved"] is True


def test_sign_ups_of_one_name_at_the_same_time_make_one_account(world: World, client: TestClient) -> None:
    def sign_up(number: int) -> int:
        person = {"name": "ada", "email": f"ada{number}@example.org", "password": PASSWORD}
        return client.post("/api/v1/accounts", json=person).status_code

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(sign_up, range(6))) == [201] + [409] * 5
