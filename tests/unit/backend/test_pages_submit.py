import hashlib
import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from backend.models.submission import Submission
from backend.models.upload import Upload
from backend.models.user import User
from backend.web.form_upload import FormReader
from tests.unit.backend.browsing import Visitor, visitor
from tests.unit.backend.world import World

HERE = "/challenges/demo/submit"
FORM = "/uploads/form/demo"
BOUNDARY = "----moodarena-test"


@pytest.fixture
def browser(client: TestClient, world: World, ada: User) -> Visitor:
    world.team("Alpha", ada)
    return visitor(client).sign_in("ada")


def token_of(browser: Visitor) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', browser.get(HERE))
    assert found is not None
    return found[1]


def send(browser: Visitor, archive: bytes, name: str = "image.tar.gz", csrf: str | None = None) -> Any:
    """The upload form as a browser sends it: the token first, then the file."""
    fields = {"csrf": token_of(browser) if csrf is None else csrf}
    return browser.client.post(FORM, data=fields, files={"archive": (name, archive)})


def uploads(world: World) -> list[Upload]:
    with world.read() as session:
        return list(session.query(Upload).order_by(Upload.created_at))


def files(world: World) -> list[str]:
    return [path.name for path in world.platform.storage.scratch("uploads").iterdir()]


def test_an_archive_is_uploaded_and_handed_in_by_plain_forms(
    browser: Visitor, world: World, ada: User
) -> None:
    archive = bytes(range(256)) * 20_000
    listed = send(browser, archive, "C:\\images\\mine.tar.gz")
    assert listed.url.path == HERE
    assert "mine.tar.gz" in listed.text
    assert "complete" in listed.text
    (upload,) = uploads(world)
    assert (upload.size, upload.offset, upload.state) == (len(archive), len(archive), "complete")
    assert upload.sha256 == hashlib.sha256(archive).hexdigest()
    answer = browser.post(HERE, HERE, upload=upload.id, kind="toy", title="my first")
    assert re.fullmatch(r"/submissions/[0-9a-f]{24}", answer.url.path)
    assert "my first" in answer.text
    with world.read() as session:
        submission = session.query(Submission).one()
        assert submission.archive_sha256 == upload.sha256
    assert world.platform.storage.path(upload.sha256).read_bytes() == archive


def test_a_refused_submission_says_why_and_keeps_the_form(browser: Visitor, world: World) -> None:
    send(browser, b"archive")
    (upload,) = uploads(world)
    refused = browser.post(HERE, HERE, upload=upload.id, kind="counted", task="", title="no task")
    assert refused.status_code == 422
    assert "A counted submission names its task" in refused.text
    assert 'value="no task"' in refused.text
    assert 'value="counted" checked' in refused.text


def test_a_form_without_our_token_leaves_nothing(browser: Visitor, world: World, client: TestClient) -> None:
    assert send(browser, b"x" * 100, csrf="forged").status_code == 403
    late = browser.client.post(FORM, files={"archive": ("a.tar", b"x"), "csrf": (None, token_of(browser))})
    assert late.status_code == 403
    assert client.post(FORM, files={"archive": ("a.tar", b"x")}).status_code == 401
    assert uploads(world) == []
    assert files(world) == []


def test_an_api_token_does_not_replace_the_forms_token(client: TestClient, world: World, ada: User) -> None:
    world.team("Alpha", ada)
    answer = client.post(
        FORM, data={"csrf": ""}, files={"archive": ("a.tar", b"x")}, headers=world.token(ada)
    )
    assert answer.status_code == 403
    assert uploads(world) == []


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("multipart/form-data; boundary=" + BOUNDARY, b"nonsense", 422),
        ("multipart/form-data", b"nonsense", 422),
        ("application/x-www-form-urlencoded", b"csrf=x", 422),
    ],
)
def test_what_is_no_form_of_ours_is_refused_in_words(
    browser: Visitor, world: World, content_type: str, body: bytes, status: int
) -> None:
    answer = browser.client.post(FORM, content=body, headers={"Content-Type": content_type})
    assert answer.status_code == status
    assert 'role="alert"' in answer.text
    assert uploads(world) == []


def whole_form(csrf: str, archive: Iterator[bytes], file_name: str = "a.tar") -> Iterator[bytes]:
    yield f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n{csrf}\r\n'.encode()
    disposition = f'Content-Disposition: form-data; name="archive"; filename="{file_name}"'
    yield f"--{BOUNDARY}\r\n{disposition}\r\n\r\n".encode()
    yield from archive
    yield f"\r\n--{BOUNDARY}--\r\n".encode()


def post_raw(browser: Visitor, body: bytes) -> Any:
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    return browser.client.post(FORM, content=body, headers={"Content-Type": kind})


def test_an_empty_or_broken_off_file_leaves_nothing(browser: Visitor, world: World) -> None:
    csrf = token_of(browser)
    form = b"".join(whole_form(csrf, iter([b"y" * 1000])))
    assert post_raw(browser, form[:-20]).status_code == 422
    assert post_raw(browser, b"".join(whole_form(csrf, iter([])))).status_code == 422
    assert post_raw(browser, b"".join(whole_form(csrf, iter([b"y"]), ""))).status_code == 422
    assert uploads(world) == []
    assert files(world) == []
    assert post_raw(browser, form).url.path == HERE
    assert [upload.size for upload in uploads(world)] == [1000]


def test_a_form_with_a_huge_field_or_two_files_is_refused(browser: Visitor, world: World) -> None:
    csrf = token_of(browser)
    two = {"archive": ("a.tar", b"x"), "second": ("b.tar", b"y")}
    assert browser.client.post(FORM, data={"csrf": csrf}, files=two).status_code == 422
    long = browser.client.post(FORM, data={"a": "x" * 2000, "csrf": csrf}, files={"archive": ("a.tar", b"x")})
    assert long.status_code == 422
    assert uploads(world) == []
    assert files(world) == []


def test_an_archive_over_the_challenges_limit_is_refused_before_it_is_read(
    client: TestClient, world: World
) -> None:
    world.challenge(archive="1000")
    user = world.person("ada")
    world.team("Alpha", user)
    browser = visitor(client).sign_in("ada")
    answer = send(browser, b"x" * 5000)
    assert answer.status_code == 413
    assert "1000 bytes at most" in answer.text
    assert files(world) == []


def test_an_upload_is_deleted_by_its_owner_only(browser: Visitor, client: TestClient, world: World) -> None:
    send(browser, b"archive")
    (upload,) = uploads(world)
    action = f"/challenges/demo/uploads/{upload.id}/delete"
    world.person("eve")
    assert visitor(client).sign_in("eve").post("/account", action).status_code == 404
    assert len(uploads(world)) == 1
    browser.post(HERE, action)
    assert uploads(world) == []
    assert files(world) == []


@given(archive=st.binary(max_size=3000), cuts=st.lists(st.integers(0, 3500)))
def test_a_form_reads_the_same_however_it_is_cut_into_pieces(archive: bytes, cuts: list[int]) -> None:
    form = b"".join(whole_form("secret", iter([archive + b"\r\n--" + archive[:5]])))
    received, told = bytearray(), []

    def begin(fields: dict[str, str], file_name: str) -> Callable[[bytes], object]:
        told.append((dict(fields), file_name))
        return received.extend

    reader = FormReader(f"multipart/form-data; boundary={BOUNDARY}", begin)
    closed = form.rindex(b"--") + 2  # a line break may follow, and says nothing
    for start, end in pairwise(sorted({0, len(form), *(cut for cut in cuts if cut < len(form))})):
        assert reader.complete == (start >= closed)
        reader.feed(form[start:end])
    assert reader.complete
    assert bytes(received) == archive + b"\r\n--" + archive[:5]
    assert told == [({"csrf": "secret"}, "a.tar")]


def test_without_a_team_the_page_says_how_to_get_one(client: TestClient, ada: User) -> None:
    html = visitor(client).sign_in("ada").get(HERE)
    assert "Found a team, or join one" in html
    assert 'type="file"' not in html
