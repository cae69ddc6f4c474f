"""Handing in, as a person does it: files that are refused, uploads that break off, and failures."""

import base64
import gzip
import hashlib
import lzma
import os
import re
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Page, Request, Route, expect

from backend.commands import console
from backend.intake import samples, uploads
from backend.models.submission import Submission
from backend.models.upload import Upload
from submissions.fake_engine import Behaviour
from tests.archives import Image, save, tar
from tests.browser.conftest import Site, Tab
from tests.browser.test_walk import found_team, sign_in, sign_up
from tests.browser.working import SCRIPTS, guess, image, work

SUBMIT = "/challenges/demo/submit"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A saved image of some 4 MB, which goes in several pieces."""
    layer = tar(("workspace/weights", os.urandom(4_000_000)))
    return save(tmp_path / "image.tar.gz", Image(layers=[layer]).docker(), compress=True)


@pytest.fixture
def page(site: Site, tab: Tab) -> Page:
    """The page on which ada submits."""
    site.world.challenge()
    ada = site.world.person("ada")
    site.world.team("Alpha", ada)
    sign_in(tab.page, "ada")
    tab.page.goto(SUBMIT)
    return tab.page


def choose(page: Page, file: Path) -> None:
    page.get_by_label("Archive").set_input_files(file)


def stored(site: Site) -> list[Upload]:
    with site.world.read() as session:
        return list(session.query(Upload))


def test_an_upload_goes_on_after_the_page_was_loaded_anew_in_the_middle(
    site: Site, page: Page, archive: Path
) -> None:
    pieces: list[int] = []

    def note(request: Request) -> None:
        if request.method == "PATCH":
            pieces.append(int(request.headers["upload-offset"]))

    def hold_all_but_the_first(route: Route) -> None:
        if route.request.headers.get("upload-offset", "0") == "0":
            route.continue_()

    page.on("request", note)
    page.route("**/api/v1/uploads/*", hold_all_but_the_first)
    choose(page, archive)
    with page.expect_request(lambda request: request.headers.get("upload-offset", "0") != "0"):
        page.get_by_role("button", name="Upload", exact=True).click()
    (begun,) = stored(site)
    assert pieces == [0, begun.offset]
    page.reload()
    page.unroute("**/api/v1/uploads/*")
    share = 100 * begun.offset // begun.size
    expect(page.get_by_text(f"image.tar.gz stopped at {share} %")).to_be_visible()
    choose(page, archive)
    page.get_by_role("button", name="Go on with the upload").click()
    expect(page.get_by_text("complete, kept until")).to_be_visible()
    (upload,) = stored(site)
    assert (upload.id, upload.state) == (begun.id, "complete")
    assert pieces[2] == begun.offset
    assert 0 not in pieces[1:]
    content = archive.read_bytes()
    assert upload.sha256 == hashlib.sha256(content).hexdigest()
    assert uploads.path_of(site.world.platform.storage, upload.id).read_bytes() == content


def refusable(folder: Path) -> dict[Path, str]:
    """Files that are no saved image, and a part of what is said of each."""
    whole = save(
        folder / "whole.tar", Image(layers=[tar(("workspace/weights", os.urandom(90_000)))]).docker()
    )
    packed = gzip.compress(whole.read_bytes())
    system = tar(("bin/sh", b"#!"), ("etc/passwd", b"root"))
    with zipfile.ZipFile(folder / "zip.tar", "w") as file:
        file.writestr("manifest.json", "[]")
    written = {
        "empty.tar": (b"", "is empty. Save the image again"),
        "text.tar": (b"just some words" * 100, "is no tar archive"),
        "xz.tar": (lzma.compress(b"x" * 5000), "packed with xz. Pack it with gzip instead"),
        "export.tar": (system, "holds a file system, as docker export writes it"),
        "export.tar.gz": (gzip.compress(system), "holds a file system, as docker export writes it"),
        "data.tar": (tar(("a.txt", b"x")), "holds no image: there is neither manifest.json nor index.json"),
        "cut.tar": (whole.read_bytes()[:50_000], "is cut short"),
        "cut.tar.gz": (packed[:50_000], "is a damaged gzip file, or cut short"),
        "large.tar": (whole.read_bytes() + bytes(200_000), "at most 195 KiB are taken. Pack it: gzip FILE"),
    }
    for name, (content, _) in written.items():
        (folder / name).write_bytes(content)
    return {folder / name: text for name, (_, text) in written.items()} | {
        folder / "zip.tar": "is a ZIP file. The platform reads archives of docker save"
    }


def test_what_is_no_saved_image_is_refused_before_a_byte_is_sent(
    site: Site, tab: Tab, tmp_path: Path
) -> None:
    site.world.challenge(archive="200_000")
    ada = site.world.person("ada")
    site.world.team("Alpha", ada)
    page = tab.page
    sign_in(page, "ada")
    page.goto(SUBMIT)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    upload = page.locator("archive-upload form button")
    for file, text in refusable(tmp_path).items():
        choose(page, file)
        expect(page.locator(".verdict")).to_contain_text(text)
        expect(upload).to_be_hidden()
    for path in (image(tmp_path / "fine.tar", *SCRIPTS), image(tmp_path / "fine.tar.gz", *SCRIPTS)):
        choose(page, path)
        expect(page.locator(".verdict")).to_contain_text("looks like a saved image")
        expect(upload).to_have_text("Upload")
    oci = save(tmp_path / "oci.tar.gz", Image().oci(), compress=True)
    choose(page, oci)
    expect(page.locator(".verdict")).to_contain_text("oci.tar.gz")
    expect(upload).to_be_visible()
    assert asked == []


def test_what_only_looks_odd_may_be_sent_all_the_same(page: Page, archive: Path, tmp_path: Path) -> None:
    content = archive.read_bytes()
    odd = tmp_path / "odd.tar.gz"
    odd.write_bytes(content[: len(content) // 2] + b"\x01")
    choose(page, odd)
    expect(page.locator(".verdict")).to_contain_text("seems to be cut short")
    expect(page.get_by_role("button", name="Upload anyway")).to_be_visible()


DROP = """async (box, [name, text]) => {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const data = new DataTransfer();
    data.items.add(new File([bytes], name));
    box.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
}"""


def test_a_dropped_file_is_taken_and_an_upload_is_paused_goes_on_and_is_cancelled(
    site: Site, page: Page, archive: Path, tmp_path: Path
) -> None:
    small = image(tmp_path / "small.tar.gz", *SCRIPTS)
    text = base64.b64encode(small.read_bytes()).decode()
    page.locator("archive-upload").evaluate(DROP, [small.name, text])
    expect(page.locator(".verdict")).to_contain_text("small.tar.gz")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route) if route.request.method == "PATCH" else route.continue_()

    page.route("**/api/v1/uploads/*", hold)
    choose(page, archive)
    with page.expect_request(lambda request: request.method == "PATCH"):
        page.get_by_role("button", name="Upload", exact=True).click()
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("Paused.")).to_be_visible()
    with page.expect_request(lambda request: request.method == "PATCH"):
        page.get_by_role("button", name="Go on").click()
    expect(page.get_by_text("of 3.82 MiB")).to_be_visible()
    page.get_by_role("button", name="Cancel the upload").click()
    expect(page.get_by_role("button", name="Upload", exact=True)).to_be_visible()
    expect(page.locator("[data-upload]")).to_have_count(0)
    assert stored(site) == []


def hand_in(page: Page, kind: str, task: str = "", title: str = "") -> None:
    page.get_by_role("radio", name=re.compile(f"^{kind}")).check()
    page.get_by_label("Task").select_option(label=task or "every task (toy only)")
    page.get_by_label("Title").fill(title)
    page.get_by_role("button", name="Submit", exact=True).click()
    expect(page.get_by_role("heading", name=title)).to_be_visible()


def send(page: Page, file: Path) -> None:
    page.get_by_role("link", name="Submit", exact=True).click()
    choose(page, file)
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(page.get_by_text("complete, kept until")).to_be_visible()


def test_from_signing_up_over_the_sample_to_a_ranked_submission(site: Site, tab: Tab, tmp_path: Path) -> None:
    world, page = site.world, tab.page
    world.challenge()
    sample = image(tmp_path / "sample.tar", *(script for script in SCRIPTS), name="kit")
    with world.write() as session:
        samples.register(session, world.platform.storage, "demo", sample, "The kit", console.operator())
    sign_up(page, "grace")
    expect(page.get_by_text("Found a team, or join one")).to_be_visible()
    found_team(page, "Gamma")
    page.get_by_role("link", name="Submit", exact=True).click()
    page.get_by_role("button", name="Submit the working sample").click()
    expect(page.get_by_role("heading", name="The kit")).to_be_visible()
    expect(page.get_by_text("next in the queue")).to_be_visible()
    expect(page.get_by_text("no estimate yet")).to_be_visible()
    with world.write() as session:  # its pixel scripts are no use to the engine of this test
        session.query(Submission).update({"task": "sample"})
    work(world)
    expect(page.locator(".state .badge")).to_have_text("finished")
    expect(page.get_by_role("img", name="% of the time allowed").first).to_be_visible()

    send(page, image(tmp_path / "mine.tar.gz", *SCRIPTS))
    hand_in(page, "Counted", "Sample-level", "my method")
    work(world)
    expect(page.locator(".state .badge")).to_have_text("ranked")
    page.get_by_role("link", name="Leaderboard").last.click()
    expect(page.get_by_role("row", name="Gamma").first.get_by_role("cell").first).to_have_text("1")
    page.goto("/")
    expect(page.get_by_role("link", name="See your place")).to_be_visible()


def test_a_failing_image_says_what_was_wrong_and_what_helps(
    site: Site, page: Page, tab: Tab, tmp_path: Path
) -> None:
    tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    send(page, image(tmp_path / "lacking.tar.gz", "workspace/other.sh"))
    hand_in(page, "Toy", "Sample-level", "lacking")
    work(site.world)
    failure = page.locator(".failure")
    expect(failure).to_contain_text("The image has no /workspace/run_sample_brain.sh")
    expect(failure).to_contain_text("What to do Copy a script for every task and dataset")
    failure.get_by_role("button", name="Copy the command").click()
    expect(failure.get_by_role("button", name="Copy the command")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "moodarena check IMAGE"

    send(page, image(tmp_path / "crashing.tar.gz", *SCRIPTS))
    hand_in(page, "Toy", "Sample-level", "crashing")
    work(site.world, Behaviour(exit_code=3, log=b"ValueError: no weights\n", writes=guess))
    expect(page.locator(".state .badge")).to_have_text("failed")
    expect(page.locator(".failure")).to_contain_text("exit code 3")
    expect(page.locator(".failure")).to_contain_text("moodarena check IMAGE --logs")
    page.locator("details.log summary").first.click()
    expect(page.get_by_text("ValueError: no weights").first).to_be_visible()
    page.goto("/")
    expect(page.get_by_text("“crashing” failed. Its page says why, and what helps.")).to_be_visible()


def test_a_refusal_in_the_middle_is_told_and_the_same_upload_goes_on(
    site: Site, page: Page, tab: Tab, archive: Path
) -> None:
    refusal = {"error": {"code": "csrf", "message": "This form is too old."}}
    page.route("**/api/v1/uploads/*", lambda route: route.fulfill(status=403, json=refusal))
    choose(page, archive)
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(page.locator(".verdict")).to_have_text("This form is too old.")
    page.unroute("**/api/v1/uploads/*")
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(page.get_by_text("complete, kept until")).to_be_visible()
    assert len(stored(site)) == 1
    tab.complaints[:] = [text for text in tab.complaints if "403" not in text]
