import fcntl
import hashlib
import secrets
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from backend.intake import uploads
from backend.models.upload import Upload
from tests.unit.backend.world import World

BYTES = {"Content-Type": "application/octet-stream"}
CONTENT = secrets.token_bytes(300_000)


@pytest.fixture
def ada(world: World) -> dict[str, str]:
    world.challenge()
    person = world.person("ada")
    world.team("Alpha", person)
    return world.token(person)


def start(client: TestClient, headers: dict[str, str], content: bytes = CONTENT, **changed: object) -> str:
    body = {
        "challenge": "demo",
        "file_name": "image.tar.gz",
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    answer = client.post("/api/v1/uploads", json=body | changed, headers=headers)
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"/api/v1/uploads/{answer.json()['id']}"
    return str(answer.json()["id"])


def send(
    client: TestClient, headers: dict[str, str], upload: str, offset: int, content: bytes
) -> tuple[int, dict[str, object]]:
    headers = headers | BYTES | {"Upload-Offset": str(offset)}
    answer = client.patch(f"/api/v1/uploads/{upload}", content=content, headers=headers)
    return answer.status_code, answer.json()


def code(answer: tuple[int, dict[str, object]]) -> tuple[int, str]:
    error = answer[1]["error"]
    assert isinstance(error, dict)
    return answer[0], error["code"]


def test_an_archive_arrives_in_pieces_and_is_checked_at_the_end(
    world: World, client: TestClient, ada: dict[str, str]
) -> None:
    upload = start(client, ada)
    for offset in range(0, len(CONTENT), 100_000):
        status, told = send(client, ada, upload, offset, CONTENT[offset : offset + 100_000])
        assert (status, told["offset"]) == (200, offset + 100_000)
    assert told["state"] == "complete"
    assert uploads.path_of(world.platform.storage, upload).read_bytes() == CONTENT


def test_an_archive_that_is_not_what_was_announced_is_rejected_and_forgotten(
    world: World, client: TestClient, ada: dict[str, str]
) -> None:
    upload = start(client, ada, sha256="0" * 64)
    status, told = send(client, ada, upload, 0, CONTENT)
    assert (status, told["state"]) == (200, "rejected")
    assert not uploads.path_of(world.platform.storage, upload).exists()
    assert code(send(client, ada, upload, 0, CONTENT)) == (409, "upload_over")


def test_bytes_at_another_offset_are_refused_with_the_right_one(
    client: TestClient, ada: dict[str, str]
) -> None:
    upload = start(client, ada)
    send(client, ada, upload, 0, CONTENT[:1000])
    for offset in (0, 999, 1001):
        answer = send(client, ada, upload, offset, CONTENT[offset : offset + 10])
        assert code(answer) == (409, "wrong_offset")
        assert answer[1]["error"]["facts"] == {"offset": 1000}
    assert send(client, ada, upload, 1000, CONTENT[1000:])[1]["state"] == "complete"


def test_more_bytes_than_announced_are_refused_and_none_of_them_counts(
    client: TestClient, ada: dict[str, str]
) -> None:
    upload = start(client, ada)
    assert code(send(client, ada, upload, 0, CONTENT + b"x")) == (413, "body_too_large")

    def pieces() -> Iterator[bytes]:
        yield CONTENT
        yield b"x"

    headers = ada | BYTES | {"Upload-Offset": "0"}
    chunked = client.patch(f"/api/v1/uploads/{upload}", content=pieces(), headers=headers)
    assert chunked.status_code == 413
    assert client.get(f"/api/v1/uploads/{upload}", headers=ada).json()["offset"] == 0
    assert send(client, ada, upload, 0, CONTENT)[1]["state"] == "complete"


def test_one_request_takes_no_more_than_the_chunk_that_was_told(
    client: TestClient, ada: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "MAXIMUM_PATCH", 1000)
    upload = start(client, ada)
    assert code(send(client, ada, upload, 0, CONTENT[:1001])) == (413, "body_too_large")
    assert send(client, ada, upload, 0, CONTENT[:1000])[0] == 200


def test_while_one_request_writes_another_is_refused(
    world: World, client: TestClient, ada: dict[str, str]
) -> None:
    upload = start(client, ada)
    with uploads.path_of(world.platform.storage, upload).open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert code(send(client, ada, upload, 0, CONTENT)) == (409, "upload_busy")
    assert send(client, ada, upload, 0, CONTENT)[1]["state"] == "complete"


def test_a_server_that_died_before_the_check_makes_up_for_it_when_asked(
    world: World, client: TestClient, ada: dict[str, str]
) -> None:
    upload = start(client, ada)
    uploads.path_of(world.platform.storage, upload).write_bytes(CONTENT + b"left by a killed request")
    with world.write() as session:
        session.get_one(Upload, upload).offset = len(CONTENT)
    assert client.get(f"/api/v1/uploads/{upload}", headers=ada).json()["state"] == "complete"
    assert uploads.path_of(world.platform.storage, upload).read_bytes() == CONTENT


def test_nobody_else_learns_of_an_upload(world: World, client: TestClient, ada: dict[str, str]) -> None:
    upload = start(client, ada)
    eve = world.token(world.person("eve"))
    path = f"/api/v1/uploads/{upload}"
    absent = client.get("/api/v1/uploads/absent", headers=eve)
    assert client.get(path, headers=eve).content == absent.content
    assert send(client, eve, upload, 0, CONTENT)[0] == 404
    assert client.delete(path, headers=eve).status_code == 404
    assert client.get(path).status_code == 401


def test_only_plain_bytes_are_taken(client: TestClient, ada: dict[str, str]) -> None:
    upload = start(client, ada)
    headers = ada | {"Upload-Offset": "0"}
    answer = client.patch(f"/api/v1/uploads/{upload}", files={"file": CONTENT}, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "content_type")


@pytest.mark.parametrize(
    ("changed", "status", "error"),
    [
        ({"size": 0}, 422, "upload_empty"),
        ({"size": 2_147_483_649}, 413, "archive_too_large"),
        ({"sha256": "ABC"}, 422, "invalid_request"),
        ({"challenge": "absent"}, 404, "no_such_challenge"),
    ],
)
def test_an_archive_that_cannot_be_taken_is_refused_before_it_is_sent(
    client: TestClient, ada: dict[str, str], changed: dict[str, object], status: int, error: str
) -> None:
    body = {"challenge": "demo", "file_name": "a.tar", "size": 10, "sha256": "0" * 64} | changed
    answer = client.post("/api/v1/uploads", json=body, headers=ada)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, error)


def test_uploads_are_for_people_with_a_team(world: World, client: TestClient) -> None:
    world.challenge()
    body = {"challenge": "demo", "file_name": "a.tar", "size": 10, "sha256": "0" * 64}
    answer = client.post("/api/v1/uploads", json=body, headers=world.token(world.person("bob")))
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "no_team")


def test_a_person_has_three_uploads_at_a_time(client: TestClient, ada: dict[str, str]) -> None:
    made = [start(client, ada) for _ in range(3)]
    body = {"challenge": "demo", "file_name": "a.tar", "size": 10, "sha256": "0" * 64}
    refused = client.post("/api/v1/uploads", json=body, headers=ada)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "too_many_uploads")
    assert client.delete(f"/api/v1/uploads/{made[0]}", headers=ada).status_code == 204
    assert client.get(f"/api/v1/uploads/{made[0]}", headers=ada).status_code == 404
    assert client.post("/api/v1/uploads", json=body, headers=ada).status_code == 201


def test_an_upload_that_expired_is_gone_with_its_bytes(
    world: World, client: TestClient, ada: dict[str, str]
) -> None:
    old, young = start(client, ada), start(client, ada)
    send(client, ada, old, 0, CONTENT)
    send(client, ada, young, 0, CONTENT[:10])
    stray = uploads.path_of(world.platform.storage, "of-no-upload")
    stray.write_bytes(b"x")
    with world.write() as session:
        session.get_one(Upload, old).expires_at = 1.0
    assert client.get(f"/api/v1/uploads/{old}", headers=ada).status_code == 404
    assert uploads.remove_expired(world.platform.database, world.platform.storage) == 2
    folder = uploads.path_of(world.platform.storage, young).parent
    assert [path.name for path in folder.iterdir()] == [young]
