"""A node with a storage of its own: blobs come from the platform, by digest and with the worker's token."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from backend.config import Settings
from backend.main import create_app
from backend.storage import DigestMismatch, Storage
from tests.live import serving
from tests.unit.backend.world import World
from worker.blobs import Blobs

CONTENT = b"an archive" * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def origin(world: World) -> Iterator[str]:
    """The platform's own server; it holds one blob."""
    world.platform.storage.put(iter([CONTENT]))
    with serving(create_app(world.platform)) as address:
        yield address


def node(folder: Path, origin: str, token: str = "w" * 40) -> Blobs:
    settings = Settings(data=folder, origin_url=origin, worker_token=SecretStr(token))
    return Blobs(settings, Storage(folder))


def test_a_blob_is_fetched_once(tmp_path: Path, origin: str, world: World) -> None:
    blobs = node(tmp_path / "node", origin)
    assert blobs.ensure(DIGEST).read_bytes() == CONTENT
    world.platform.storage.delete(DIGEST)
    assert blobs.ensure(DIGEST).read_bytes() == CONTENT


def test_bytes_that_are_not_those_of_the_digest_are_refused(
    tmp_path: Path, origin: str, world: World
) -> None:
    damaged = world.platform.storage.path(DIGEST)
    os.chmod(damaged, 0o600)
    damaged.write_bytes(CONTENT[:-1] + b"!")
    blobs = node(tmp_path / "node", origin)
    with pytest.raises(DigestMismatch, match=f"expected {DIGEST}"):
        blobs.ensure(DIGEST)
    assert not blobs.storage.has(DIGEST)


def test_a_wrong_token_fetches_and_publishes_nothing(tmp_path: Path, origin: str, world: World) -> None:
    blobs = node(tmp_path / "node", origin, "x" * 40)
    with pytest.raises(httpx.HTTPStatusError, match="401"):
        blobs.ensure(DIGEST)
    with pytest.raises(httpx.HTTPStatusError, match="401"):
        blobs.publish(b"a view")
    assert not world.platform.storage.has(hashlib.sha256(b"a view").hexdigest())


def test_what_is_published_can_be_read_by_the_platform(tmp_path: Path, origin: str, world: World) -> None:
    digest = node(tmp_path / "node", origin).publish(b"a view")
    assert world.platform.storage.path(digest).read_bytes() == b"a view"


def test_a_node_without_an_origin_says_what_to_do_about_a_lost_blob(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="restore it, or set MOODARENA_ORIGIN_URL"):
        node(tmp_path / "node", "").ensure(DIGEST)
