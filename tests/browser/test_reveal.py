"""The reveal in a real browser: an organizer decides, a participant sees the board closed, open, closed."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Site, Tab
from tests.browser.test_frame import AXE, LOOKS, wrong_in
from tests.browser.test_walk import sign_in

REVEAL, SETTINGS = "/organize/demo/reveal", "/organize/demo/settings"
BOARD = "/challenges/demo/leaderboard?task=sample"


@pytest.fixture(autouse=True)
def people(site: Site) -> None:
    """Two teams behind aliases, on a board that nobody sees yet."""
    site.world.challenge(leaderboard="after_reveal", own_score="after_reveal", aliases="true")
    ada, bert = site.world.person("ada"), site.world.person("bert")
    site.world.person("boss", "organizer")
    for name, person, figure in (("Alpha", ada, 0.9), ("Beta", bert, 0.7)):
        site.world.ranked(site.world.team(name, person), person, "sample", {"brain": figure, "abdom": figure})


@pytest.fixture
def participant(site: Site, browser: Browser) -> Iterator[Page]:
    """Ada's tab, in a browser of her own."""
    context = browser.new_context(base_url=site.url)
    page = context.new_page()
    sign_in(page, "ada")
    page.goto(BOARD)
    yield page
    context.close()


def decide(page: Page, button: str, reason: str) -> None:
    form = page.locator("form", has=page.get_by_role("button", name=button))
    form.get_by_label("Reason").fill(reason)
    form.get_by_role("button", name=button).click()


def faults(page: Page) -> list[str]:
    page.evaluate(AXE.read_text())
    return [text for look in LOOKS for text in wrong_in(page, *look)]


def test_a_board_is_previewed_frozen_published_and_hidden_again(
    site: Site, tab: Tab, participant: Page
) -> None:
    page = tab.page
    sign_in(page, "boss")
    page.goto(REVEAL)
    preview = page.get_by_role("region", name="Leaderboard")
    expect(preview.locator("tr.entry th")).to_have_text(["Alpha", "Beta"])
    expect(page.get_by_role("list", name="States of the board").locator("[aria-current]")).to_have_text(
        "Open"
    )
    assert faults(page) == []
    page.set_viewport_size({"width": 1200, "height": 900})
    decide(page, "Freeze the board", "the deadline is over")
    expect(page.locator("#state")).to_contain_text("The board is frozen since")
    participant.reload()
    expect(participant.get_by_text("This board is not public")).to_be_visible()
    assert faults(page) == []
    page.set_viewport_size({"width": 1200, "height": 900})
    decide(page, "Publish the board", "as announced")
    expect(page.locator("#state")).to_contain_text("The board is published since")
    participant.reload()
    expect(participant.locator("tr.entry th")).to_have_text(["Alpha yours", "Beta"])
    expect(participant.get_by_text("Frozen since")).to_be_visible()
    decide(page, "Undo the publication", "a score was wrong")
    expect(page.locator("#state")).to_contain_text("The board is frozen since")
    participant.reload()
    expect(participant.get_by_text("This board is not public")).to_be_visible()


def test_a_setting_is_looked_at_before_it_is_changed(site: Site, tab: Tab, participant: Page) -> None:
    page = tab.page
    sign_in(page, "boss")
    page.goto(SETTINGS)
    page.get_by_label("Leaderboard", exact=True).select_option("live")
    form = page.locator("form.settings")
    form.get_by_label("Reason").fill("let everybody see")
    form.get_by_role("button", name="See what would change").click()
    expect(page.get_by_text("The leaderboard: everybody sees it at once.")).to_be_visible()
    assert faults(page) == []
    page.get_by_role("button", name="Change it").click()
    expect(page.locator(".setting.changed")).to_contain_text("publication.leaderboard")
    participant.reload()
    expect(participant.get_by_text("Until the reveal teams have aliases here.")).to_be_visible()
    expect(participant.locator("tr.entry.mine")).to_contain_text("yours")
    expect(participant.get_by_text("Alpha")).to_have_count(0)
    page.get_by_label("as in the YAML: Leaderboard").check()
    form.get_by_label("Reason").fill("after all not")
    form.get_by_role("button", name="See what would change").click()
    page.get_by_role("button", name="Change it").click()
    participant.reload()
    expect(participant.get_by_text("This board is not public")).to_be_visible()


def test_an_export_is_downloaded(tab: Tab) -> None:
    page = tab.page
    sign_in(page, "boss")
    page.goto("/organize/demo/export")
    assert faults(page) == []
    with page.expect_download() as download:
        page.get_by_role("button", name="Export the results").click()
    assert download.value.suggested_filename.startswith("demo-")
    page.reload()
    expect(page.get_by_role("region", name="Exports so far")).to_contain_text("boss")
