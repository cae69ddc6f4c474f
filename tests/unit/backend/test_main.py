import logging

import pytest
from fastapi.testclient import TestClient

from backend.main import create_app
from tests.unit.backend.world import World


def test_every_answer_carries_the_headers_that_protect_a_browser(client: TestClient) -> None:
    for path in ("/api/v1/health", "/api/v1/absent"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cache-control"] == "private, no-store"
        assert "strict-transport-security" not in headers


def test_under_tls_browsers_are_told_to_stay_there(tmp_path_factory: pytest.TempPathFactory) -> None:
    with World.open(tmp_path_factory.mktemp("tls"), base_url="https://arena.example") as world:
        client = TestClient(create_app(world.platform))
        assert "max-age" in client.get("/api/v1/health").headers["strict-transport-security"]


def test_health_says_whether_the_database_answers(client: TestClient, world: World) -> None:
    assert client.get("/api/v1/health").json() == {"status": "ok", "database": True}


def test_an_unknown_path_and_a_wrong_method_are_typed_errors(client: TestClient) -> None:
    absent, wrong = client.get("/api/v1/absent"), client.put("/api/v1/health")
    assert (absent.status_code, absent.json()["error"]["code"]) == (404, "not_found")
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (405, "method_not_allowed")


def test_a_bug_is_told_as_a_number_and_its_story_goes_to_the_log_only(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    app = create_app(world.platform)

    @app.get("/api/v1/broken")
    def broken() -> None:
        raise RuntimeError("secret_case_17 is in /srv/hidden")

    with caplog.at_level(logging.ERROR):
        answer = TestClient(app).get("/api/v1/broken")
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "server_fault"
    assert "secret_case" not in answer.text
    assert "content-security-policy" in answer.headers
    number = answer.json()["error"]["facts"]["id"]
    assert number in caplog.text
    assert "secret_case_17 is in /srv/hidden" in caplog.text


def test_a_request_that_is_not_valid_is_explained_without_repeating_what_was_sent(client: TestClient) -> None:
    body = {"name": ["not", "a", "name"], "password": {"clear": "hunter2hunter2"}}
    answer = client.post("/api/v1/accounts", json=body)
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "invalid_request"
    assert {field["at"] for field in answer.json()["error"]["facts"]["fields"]} >= {"body.name", "body.email"}
    assert "hunter2" not in answer.text


def test_a_body_that_is_too_large_is_refused_whether_its_length_is_told_or_not(client: TestClient) -> None:
    headers = {"Content-Type": "application/json"}
    pieces = (b"x" * 65536 for _ in range(20))
    for content in (b"x" * (1 << 20) + b"x", pieces):
        answer = client.post("/api/v1/accounts", content=content, headers=headers)
        assert answer.status_code == 413
        assert "error" in answer.json()


def test_the_interface_is_described_and_needs_no_stranger_to_show_it(client: TestClient) -> None:
    paths = client.get("/api/v1/openapi.json").json()["paths"]
    assert {"/api/v1/uploads/{upload_id}", "/api/v1/submissions", "/api/v1/tokens"} <= set(paths)
    assert client.get("/docs").status_code == 404
    assert client.get("/redoc").status_code == 404
