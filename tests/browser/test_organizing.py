"""Organizers find submissions, run them again with a reason, and see it in the log."""

import pytest
from playwright.sync_api import Page, expect

from backend.models.submission import Submission
from tests.browser.conftest import Site, Tab
from tests.browser.test_frame import AXE, wrong_in
from tests.browser.test_walk import sign_in
from tests.unit.backend.world import World

LOOKS = [("light", 1280), ("dark", 390)]


def unlucky(world: World) -> list[Submission]:
    """Three submissions that failed by our fault, one of them without its archive, beside a ranked one."""
    world.challenge()
    ada, _ = world.person("ada"), world.person("boss", "organizer")
    team = world.team("Alpha", ada)
    world.ranked(team, ada, "sample", {"brain": 0.9, "abdom": 0.8}, title="fine")
    kept = world.platform.storage.put(iter([b"archive"]))
    rows = []
    for title, digest in (("first", kept), ("second", kept), ("lost", "ab" * 32)):
        row = world.submission(team, ada, title=title, state="failed", archive_sha256=digest)
        world.set(row, failure_code="platform", failure_ours=True, failure_message="The platform failed.")
        rows.append(row)
    return rows


@pytest.mark.parametrize("javascript", [True, False])
def test_what_failed_by_our_fault_is_found_and_run_again_with_a_reason(
    site: Site, javascript: bool, request: pytest.FixtureRequest
) -> None:
    unlucky(site.world)
    page: Page = request.getfixturevalue("tab" if javascript else "plain_tab").page
    sign_in(page, "boss")
    page.goto("/organize/submissions")
    page.get_by_label("Fault").select_option("ours")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("row", name="fine")).to_have_count(0)
    page.get_by_role("link", name="All of this page").click()
    expect(page.get_by_role("checkbox", checked=True)).to_have_count(3)
    page.get_by_role("button", name="Run again").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Run again 2 submissions")
    expect(page.get_by_role("row", name="lost")).to_contain_text("Refused. The archive was deleted")
    if javascript:
        nothing_for_axe(page)
    page.get_by_label("Why").fill("the disk was full")
    page.get_by_role("button", name="Run again 2 submissions").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Run again: 2 of 2 done")
    expect(page.get_by_role("row", name="first")).to_contain_text("Waits for a worker again.")
    if javascript:
        nothing_for_axe(page)
    page.get_by_role("link", name="Back to the list").click()
    expect(page.get_by_role("row", name="lost")).to_be_visible()
    expect(page.get_by_role("row", name="first")).to_have_count(0)

    page.get_by_role("link", name="Audit log").click()
    entry = page.get_by_role("row", name="submission.rerun").first
    expect(entry).to_contain_text("boss")
    expect(entry).to_contain_text("the disk was full")
    entry.get_by_role("link").click()
    expect(page.locator(".state .badge")).to_have_text("checking the image")


def nothing_for_axe(page: Page) -> None:
    """Axe finds nothing, and the page fits."""
    page.evaluate(AXE.read_text())
    assert [text for look in LOOKS for text in wrong_in(page, *look)] == []
    page.set_viewport_size({"width": 1200, "height": 900})


def test_the_dashboard_follows_what_happens_and_forgets_what_was_mended(site: Site, tab: Tab) -> None:
    rows = unlucky(site.world)
    sign_in(tab.page, "boss")
    with tab.page.expect_response("**/api/v1/operations/events"):
        tab.page.goto("/organize")
    lane = tab.page.get_by_role("row", name="toy")
    expect(lane.get_by_role("cell").first).to_have_text("0")
    run = site.world.run(rows[0], "verify")
    expect(lane.get_by_role("cell").first).to_have_text("1")
    trouble = tab.page.get_by_text("No worker serves the toy lane, where 1 run waits.")
    expect(trouble).to_be_visible()
    site.world.set(run, state="done")
    expect(trouble).to_have_count(0)
