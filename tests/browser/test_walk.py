import hashlib
import os
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from backend.intake import uploads
from backend.models.submission import Submission
from backend.models.upload import Upload
from backend.models.user import User
from tests.archives import Image, save, tar
from tests.browser.conftest import Site, Tab
from tests.unit.backend.world import PASSWORD, World

LONG = 15_000


def sign_up(page: Page, name: str) -> None:
    page.goto("/")
    page.get_by_role("navigation").get_by_role("link", name="Sign up").click()
    page.get_by_label("Name").fill(name)
    page.get_by_label("Mail address").fill(f"{name}@example.org")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("link", name=name, exact=True)).to_be_visible()


def found_team(page: Page, name: str) -> None:
    page.get_by_role("link", name="Choose a team").click()
    page.get_by_label("Name of the team").fill(name)
    page.get_by_role("button", name="Found the team").click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()


def hand_in(page: Page, archive: Path) -> None:
    page.get_by_role("link", name="Submit", exact=True).click()
    page.get_by_label("Archive").set_input_files(archive)
    page.get_by_role("button", name="Upload", exact=True).click()
    page.get_by_label("Title").fill("my method")
    page.get_by_role("button", name="Submit", exact=True).click()
    expect(page.get_by_role("heading", name="my method")).to_be_visible()


def only_submission(world: World) -> Submission:
    with world.read() as session:
        return session.query(Submission).one()


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A saved image of some 3 MB."""
    layer = tar(("workspace/weights", os.urandom(3_000_000)))
    return save(tmp_path / "image.tar.gz", Image(layers=[layer]).docker(), compress=True)


@pytest.mark.parametrize("javascript", [True, False])
def test_a_newcomer_walks_from_sign_up_to_a_place_on_the_board(
    site: Site, javascript: bool, archive: Path, request: pytest.FixtureRequest
) -> None:
    site.world.challenge()
    page = request.getfixturevalue("tab" if javascript else "plain_tab").page
    sign_up(page, "grace")
    found_team(page, "Gamma")
    hand_in(page, archive)
    submission = only_submission(site.world)
    assert submission.archive_sha256 == hashlib.sha256(archive.read_bytes()).hexdigest()
    badge = page.locator(".state .badge")
    expect(badge).to_have_text("checking the image")
    expect(page.get_by_text("next in the queue")).to_be_visible()

    site.world.moved(submission, "toy")
    site.world.toy_results(submission)
    if not javascript:
        page.reload()
    expect(badge).to_have_text("running toy cases", timeout=LONG)
    expect(page.get_by_role("img", name="Hottest slice of toy_1.nii.gz")).to_be_visible(timeout=LONG)
    site.world.moved(submission, "toy", "score", "finished")
    if not javascript:
        page.reload()
    expect(badge).to_have_text("finished", timeout=LONG)
    expect(page.get_by_role("button", name="Cancel this submission")).to_have_count(0)

    with site.world.read() as session:
        grace = session.query(User).one()
    site.world.ranked(site.world.team("Other"), grace, "sample", {"brain": 0.9, "abdom": 0.9})
    page.get_by_role("link", name="Leaderboard").first.click()
    row = page.get_by_role("row", name="Other")
    expect(row.get_by_role("cell").first).to_have_text("1")
    expect(row).to_contain_text("0.900")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()


def sign_in(page: Page, name: str) -> None:
    page.goto("/sign-in")
    page.get_by_label("Name or mail address").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("link", name=name, exact=True)).to_be_visible()


def test_the_list_of_submissions_follows_the_database(site: Site, tab: Tab) -> None:
    site.world.challenge()
    ada = site.world.person("ada")
    submission = site.world.submission(site.world.team("Alpha", ada), ada)
    sign_in(tab.page, "ada")
    tab.page.goto("/challenges/demo/submissions")
    expect(tab.page.locator(".badge")).to_have_text("checking the image")
    sentence = "toy_2.nii.gz: 127 slices written, 128 expected"
    site.world.set(submission, failure_code="wrong_shape", failure_message=sentence)
    site.world.moved(submission, "toy", "failed")
    expect(tab.page.locator(".badge")).to_have_text("failed", timeout=LONG)
    expect(tab.page.get_by_text(sentence)).to_be_visible()


def test_an_upload_goes_on_where_it_stopped_when_the_same_file_is_chosen_again(
    site: Site, tab: Tab, archive: Path
) -> None:
    site.world.challenge()
    ada = site.world.person("ada")
    site.world.team("Alpha", ada)
    content = archive.read_bytes()
    platform = site.world.platform
    with site.world.write() as session:
        digest = hashlib.sha256(content).hexdigest()
        upload = uploads.create(session, platform, ada, "demo", archive.name, len(content), digest)
    uploads.path_of(platform.storage, upload.id).write_bytes(content[:1_000_000])
    site.world.set(upload, offset=1_000_000)
    sign_in(tab.page, "ada")
    tab.page.goto("/challenges/demo/submit")
    expect(tab.page.get_by_text("33 % here")).to_be_visible()
    sent = []
    tab.page.on(
        "request", lambda request: sent.append((request.method, request.headers.get("upload-offset")))
    )
    tab.page.get_by_label("Archive").set_input_files(archive)
    tab.page.get_by_role("button", name="Go on with the upload").click()
    expect(tab.page.get_by_text("complete, kept until")).to_be_visible(timeout=LONG)
    assert ("PATCH", "1000000") in sent
    assert not [method for method, _ in sent if method == "POST"]
    with site.world.read() as session:
        assert session.query(Upload).one().state == "complete"


def test_an_upload_survives_a_broken_line(site: Site, tab: Tab, archive: Path) -> None:
    site.world.challenge()
    ada = site.world.person("ada")
    site.world.team("Alpha", ada)
    sign_in(tab.page, "ada")
    tab.page.goto("/challenges/demo/submit")
    breaks = iter([True, True])

    def meddle(route: Route) -> None:
        if route.request.method == "PATCH" and next(breaks, False):
            route.abort("connectionreset")
        else:
            route.continue_()

    tab.page.route("**/api/v1/uploads/*", meddle)
    tab.page.get_by_label("Archive").set_input_files(archive)
    tab.page.get_by_role("button", name="Upload", exact=True).click()
    expect(tab.page.get_by_text("complete, kept until")).to_be_visible(timeout=LONG)
    tab.complaints[:] = [text for text in tab.complaints if "ERR_CONNECTION_RESET" not in text]


def test_no_page_is_wider_than_a_phone(site: Site, tab: Tab) -> None:
    site.world.challenge()
    ada = site.world.person("ada")
    team = site.world.team("A team with a long name, as teams like to have them", ada)
    submission = site.world.submission(team, ada, title="a_title_without_a_single_space_" * 5)
    site.world.toy_results(submission)
    site.world.ranked(team, ada, "sample", {"brain": 0.5, "abdom": 0.25})
    tab.page.set_viewport_size({"width": 390, "height": 800})
    sign_in(tab.page, "ada")
    at = "/challenges/demo"
    case = f"/submissions/{submission.id}/toy/pixel/brain/toy_1.nii.gz"
    pages = ["/", at, f"{at}/team", f"{at}/submit", f"{at}/submissions", f"{at}/leaderboard"]
    for path in (*pages, f"/submissions/{submission.id}", case, "/account"):
        tab.page.goto(path)
        assert tab.page.evaluate("document.documentElement.scrollWidth") <= 390, path
