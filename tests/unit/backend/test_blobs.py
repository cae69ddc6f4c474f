import hashlib
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from backend.config import Settings
from backend.main import create_app
from backend.migrate import upgrade
from backend.platform import Platform
from tests.unit.backend.world import World

WORKER = {"Authorization": "Bearer " + "w" * 40}
CONTENT = b"y" * 2_500_000
DIGEST = hashlib.sha256(CONTENT).hexdigest()
PATH = f"/api/v1/blobs/{DIGEST}"


def test_a_worker_stores_and_fetches_by_digest(world: World, client: TestClient) -> None:
    assert client.get(PATH, headers=WORKER).status_code == 404
    assert client.put(PATH, content=CONTENT, headers=WORKER).status_code == 201
    assert client.put(PATH, content=CONTENT, headers=WORKER).status_code == 200
    assert client.get(PATH, headers=WORKER).content == CONTENT
    assert world.platform.storage.path(DIGEST).read_bytes() == CONTENT
    part = client.get(PATH, headers=WORKER | {"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, CONTENT[10:20])


def test_bytes_that_are_not_those_of_the_digest_are_not_kept(world: World, client: TestClient) -> None:
    answer = client.put(PATH, content=b"something else", headers=WORKER)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "digest_wrong")
    assert not world.platform.storage.has(DIGEST)
    assert list(world.platform.storage.scratch("incoming").iterdir()) == []


@pytest.mark.parametrize("name", ["abc", "..%2F..%2Fmoodarena.db", "A" * 64, "g" * 64])
def test_what_is_no_digest_is_not_there(client: TestClient, name: str) -> None:
    assert client.get(f"/api/v1/blobs/{name}", headers=WORKER).status_code == 404
    assert client.put(f"/api/v1/blobs/{name}", content=b"x", headers=WORKER).status_code in (404, 422)


def test_nobody_but_workers_gets_in(world: World, client: TestClient) -> None:
    client.put(PATH, content=CONTENT, headers=WORKER)
    orga = world.token(world.person("orga", "organizer"))
    for headers in ({}, orga, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer "}):
        assert client.get(PATH, headers=headers).status_code == 401
        assert client.put(PATH, content=CONTENT, headers=headers).status_code == 401


@pytest.mark.parametrize("token", [None, ""])
def test_without_a_configured_token_there_are_no_such_routes(tmp_path: Path, token: str | None) -> None:
    platform = Platform.open(Settings(data=tmp_path, worker_token=token))
    upgrade(platform.settings.database)
    with TestClient(create_app(platform)) as client:
        for headers in ({}, WORKER, {"Authorization": "Bearer "}):
            assert client.get(PATH, headers=headers).status_code == 404
            assert client.put(PATH, content=CONTENT, headers=headers).status_code == 404
    platform.close()
