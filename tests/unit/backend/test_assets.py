"""Files for browsers, there or not."""

import gzip
import logging
import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from backend.main import create_app
from backend.web import assets
from tests.unit.backend.browsing import visitor
from tests.unit.backend.world import World


@pytest.fixture(params=[True, False])
def built(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(assets, "BUILT", ("style.css" if request.param else "absent.css",))
    return bool(request.param)


def test_a_page_asks_for_the_build_only_if_it_is_there(client: TestClient, world: World, built: bool) -> None:
    world.challenge()
    html = client.get("/").text
    assert ("/static/dist/" in html) == built
    assert "/static/style.css" in html


def test_a_page_that_changes_loads_itself_anew_where_nothing_else_would(
    client: TestClient, world: World, built: bool
) -> None:
    world.challenge()
    ada = world.person("ada")
    submission = world.submission(world.team("Alpha", ada), ada)
    for path in (f"/submissions/{submission.id}", "/challenges/demo/submissions"):
        html = visitor(client).sign_in("ada").get(path)
        assert ('<noscript><meta http-equiv="refresh"' in html) == built
        assert '<meta http-equiv="refresh"' in html


def test_what_is_built_is_every_file_or_nothing(tmp_path: Path) -> None:
    assert not assets.built(tmp_path)
    for name in assets.BUILT:
        assert not assets.built(tmp_path)
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert assets.built(tmp_path)


def test_the_operator_is_told_what_to_type_where_there_is_no_build(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assets.tell_what_is_missing(tmp_path)
    assert "sh setup/assets.sh" in caplog.text


def test_a_browser_asks_before_it_uses_a_kept_file_again(client: TestClient) -> None:
    first = client.get("/static/style.css")
    assert first.headers["cache-control"] == "no-cache"
    again = client.get("/static/style.css", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_pages_travel_compressed_and_volumes_as_they_are(world: World) -> None:
    world.challenge()
    client = TestClient(create_app(world.platform))
    assert client.get("/").headers["content-encoding"] == "gzip"
    identity = {"Accept-Encoding": "identity"}
    assert "content-encoding" not in client.get("/", headers=identity).headers
    world.person("ada")
    path = "/api/v1/challenges/demo/files/brain/toy/toy_1.nii.gz"
    answer = visitor(client).sign_in("ada").client.get(path)
    assert answer.status_code == 200, answer.text
    assert "content-encoding" not in answer.headers
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert gzip.decompress(answer.content)
    part = visitor(client).sign_in("ada").client.get(path, headers={"Range": "bytes=0-99"})
    assert "content-encoding" not in part.headers


def test_nothing_of_ours_names_an_address_elsewhere() -> None:
    for path in [*assets.STATIC.glob("*.css"), *assets.STATIC.glob("*.js")]:
        addresses = re.findall(r"https?://[^\s\"')]+", path.read_text())
        assert [address for address in addresses if "www.w3.org" not in address] == [], path


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [("gzip, br", "br"), ("gzip", "gzip"), ("br;q=0, gzip", "gzip"), ("identity", None)],
)
def test_what_was_compressed_by_the_build_travels_as_it_lies_there(
    tmp_path: Path, accepted: str, coding: str | None
) -> None:
    contents = {"": b"plain", ".br": b"by brotli", ".gz": gzip.compress(b"plain", mtime=0)}
    for ending, content in contents.items():
        (tmp_path / f"site.js{ending}").write_bytes(content)
    client = TestClient(assets.Files(directory=tmp_path))
    headers = {"Accept-Encoding": accepted}
    with client.stream("GET", "/site.js", headers=headers) as answer:
        sent = b"".join(answer.iter_raw())
    assert sent == contents[{"br": ".br", "gzip": ".gz", None: ""}[coding]]
    assert answer.headers.get("content-encoding") == coding
    assert "javascript" in answer.headers["content-type"]
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers.get("vary") == ("Accept-Encoding" if coding else None)
    again = client.get("/site.js", headers=headers | {"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
