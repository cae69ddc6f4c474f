"""The client against a platform of a few lines that breaks the line where the test wants it to."""

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from submissions.client import Client
from submissions.responses import RemoteFile
from submissions.wire import Damaged, NoConnection, Refused

Handler = Callable[[httpx.Request], httpx.Response]


def client_of(handler: Handler, slept: list[float] | None = None) -> Client:
    naps = [] if slept is None else slept
    return Client("http://platform.test", "mood_x", transport=httpx.MockTransport(handler), sleep=naps.append)


class Intake:
    """Uploads of one file; `breaks` of the chunks are cut in the middle, the half that came is kept."""

    def __init__(self, chunk: int, breaks: int = 0) -> None:
        self.chunk, self.breaks, self.received, self.expected = chunk, breaks, b"", ("", 0)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            body = json.loads(request.content)
            self.expected = (body["sha256"], body["size"])
            return httpx.Response(201, json=self.state())
        if request.method == "PATCH":
            return self.patch(request)
        return httpx.Response(200, json=self.state())

    def patch(self, request: httpx.Request) -> httpx.Response:
        if int(request.headers["Upload-Offset"]) != len(self.received):
            error = {"code": "offset", "message": "no", "facts": {"offset": len(self.received)}}
            return httpx.Response(409, json={"error": error})
        assert int(request.headers["Content-Length"]) == len(request.content)
        if self.breaks:
            self.breaks -= 1
            self.received += request.content[: len(request.content) // 2]
            raise httpx.ReadError("connection reset")
        self.received += request.content
        return httpx.Response(200, json=self.state())

    def state(self) -> dict[str, object]:
        sha256, size = self.expected
        whole = len(self.received) == size
        good = hashlib.sha256(self.received).hexdigest() == sha256
        state = "open" if not whole else "complete" if good else "rejected"
        return {"id": "u1", "offset": len(self.received), "size": size, "chunk": self.chunk, "state": state}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "image.tar"
    path.write_bytes(bytes(range(256)) * 4096)
    return path


def test_an_upload_arrives_whole_however_often_the_line_breaks(archive: Path) -> None:
    intake, done = Intake(chunk=300_000, breaks=5), list[int]()
    upload = client_of(intake).upload("demo", archive, done.append)
    assert upload.state == "complete"
    assert intake.received == archive.read_bytes()
    assert sum(done) == archive.stat().st_size


def test_an_upload_goes_on_where_the_platform_says_it_stopped(archive: Path) -> None:
    intake, done = Intake(chunk=300_000), list[int]()
    client = client_of(intake)
    content = archive.read_bytes()
    started = client.start_upload("demo", "image.tar", len(content), hashlib.sha256(content).hexdigest())
    intake.received = content[:1000]
    assert client.continue_upload(started, archive, done.append).state == "complete"
    assert intake.received == content
    assert sum(done) == len(content)


def test_an_upload_gives_up_only_after_waiting_longer_and_longer(archive: Path) -> None:
    def dead_after_start(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return httpx.Response(201, json={"id": "u1", "offset": 0, "size": 2**20, "state": "open"})
        raise httpx.ConnectError("refused")

    slept: list[float] = []
    with pytest.raises(NoConnection, match=r"platform\.test"):
        client_of(dead_after_start, slept).upload("demo", archive)
    assert sum(slept) > 90


def test_a_file_that_changes_during_its_upload_is_reported_as_damaged(archive: Path) -> None:
    intake = Intake(chunk=2**20)
    client = client_of(intake)
    started = client.start_upload("demo", "image.tar", 2**20, "0" * 64)
    with pytest.raises(Damaged, match="upload it again"):
        client.continue_upload(started, archive)


class Files:
    """One downloadable file; with `breaks`, that many answers end after a few bytes."""

    def __init__(self, content: bytes, breaks: int = 0) -> None:
        self.content, self.breaks, self.ranges = content, breaks, list[str | None]()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        wanted = request.headers.get("Range")
        self.ranges.append(wanted)
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        content = self.content[start:]
        status = 206 if wanted else 200
        if self.breaks:
            self.breaks -= 1
            return httpx.Response(status, stream=Broken(content[:10]))
        return httpx.Response(status, stream=httpx.ByteStream(content))


class Broken(httpx.SyncByteStream):
    def __init__(self, content: bytes) -> None:
        self.content = content

    def __iter__(self) -> Iterator[bytes]:
        yield self.content
        raise httpx.RemoteProtocolError("peer closed connection")


def remote(content: bytes, path: str = "brain/toy/toy_0.nii.gz") -> RemoteFile:
    digest = hashlib.sha256(content).hexdigest()
    return RemoteFile(part="toy", path=path, size=len(content), sha256=digest, dataset="brain")


def test_a_download_goes_on_after_every_break_and_counts_each_byte_once(tmp_path: Path) -> None:
    content, done = bytes(range(100)), list[int]()
    files = Files(content, breaks=3)
    path = client_of(files).download("demo", remote(content), tmp_path, done.append)
    assert path.read_bytes() == content
    assert files.ranges == [None, "bytes=10-", "bytes=20-", "bytes=30-"]
    assert sum(done) == len(content)
    assert [item.name for item in path.parent.iterdir()] == ["toy_0.nii.gz"]


def test_a_file_that_is_there_is_not_fetched_again_but_a_changed_one_is(tmp_path: Path) -> None:
    files = Files(b"right")
    client = client_of(files)
    path = client.download("demo", remote(b"right"), tmp_path)
    client.download("demo", remote(b"right"), tmp_path)
    assert len(files.ranges) == 1
    path.write_bytes(b"wrong")
    assert client.download("demo", remote(b"right"), tmp_path).read_bytes() == b"right"


def test_a_file_with_another_digest_is_removed_and_reported(tmp_path: Path) -> None:
    with pytest.raises(Damaged):
        client_of(Files(b"other")).download("demo", remote(b"right"), tmp_path)
    assert not [item for item in tmp_path.rglob("*") if item.is_file()]


@pytest.mark.parametrize("path", ["../evil", "/etc/passwd", "a/../../b", ""])
def test_a_path_that_leads_out_of_the_folder_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(Refused, match="leads elsewhere"):
        client_of(Files(b"x")).download("demo", remote(b"x", path), tmp_path)


def test_a_refusal_carries_code_message_and_facts() -> None:
    def full(_: httpx.Request) -> httpx.Response:
        error = {"code": "quota_exceeded", "message": "All 10 are used.", "facts": {"used": 10}}
        return httpx.Response(409, json={"error": error})

    with pytest.raises(Refused) as caught:
        client_of(full).submit("demo", "u1", "counted", "sample")
    assert (caught.value.code, caught.value.facts) == ("quota_exceeded", {"used": 10})
    assert str(caught.value) == "All 10 are used."


def test_an_answer_of_another_program_is_a_refusal_too() -> None:
    with pytest.raises(Refused) as caught:
        client_of(lambda _: httpx.Response(404, html="<h1>nginx</h1>")).me()
    assert caught.value.code == "http_404"


def test_a_reading_call_is_repeated_and_a_change_is_not() -> None:
    calls: list[str] = []

    def down(request: httpx.Request) -> httpx.Response:
        calls.append(request.method)
        raise httpx.ConnectError("refused")

    client = client_of(down)
    with pytest.raises(NoConnection):
        client.me()
    with pytest.raises(NoConnection):
        client.submit("demo", "u1", "toy")
    assert calls == ["GET"] * 3 + ["POST"]


def test_all_pages_of_a_list_are_read() -> None:
    def pages(request: httpx.Request) -> httpx.Response:
        after = int(request.url.params.get("after", 0))
        item = {"id": f"c{after}", "title": "", "description": ""}
        return httpx.Response(200, json={"items": [item], "next": after + 1 if after < 2 else None})

    assert [item.id for item in client_of(pages).challenges()] == ["c0", "c1", "c2"]


def submission_json(state: str) -> dict[str, object]:
    return {"id": "s1", "challenge": "demo", "kind": "toy", "state": state}


def test_watching_yields_every_change_and_survives_the_end_of_the_stream() -> None:
    states = iter(["verify", "toy", "finished"])
    streams = iter([["verify", "toy"], []])

    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/events"):
            events = "".join(
                f"event: state\r\ndata: {json.dumps(submission_json(state))}\r\n\r\n"
                for state in next(streams)
            )
            return httpx.Response(200, text=": ping\r\n\r\n" + events)
        return httpx.Response(200, json=submission_json(next(states)))

    assert [seen.state for seen in client_of(handler).watch("s1")] == ["verify", "toy", "finished"]


def test_watching_is_a_poll_where_no_event_stream_gets_through() -> None:
    states = iter(["verify", "verify", "failed"])

    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/events"):
            raise httpx.ReadTimeout("buffered by a proxy")
        return httpx.Response(200, json=submission_json(next(states)))

    assert [seen.state for seen in client_of(handler).watch("s1")] == ["verify", "failed"]
