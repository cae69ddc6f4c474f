"""The leaderboard in a real browser: with the keyboard, on a phone, and without JavaScript."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from backend.models.user import User
from backend.results import uncertainty
from tests.browser.conftest import Site, Tab
from tests.unit.backend.evaluated import ranked
from tests.unit.backend.world import World

PAGE = "/challenges/demo/leaderboard"


@pytest.fixture
def ada(site: Site) -> User:
    site.world.challenge(consensus="mean_of_places\n  bootstraps: 200")
    return site.world.person("ada")


@pytest.fixture
def four(site: Site, ada: User) -> None:
    """Saase and A2, a baseline, share the second place; Beta is last."""
    for name, brain, abdom in (
        ("Saase", 0.8, 0.77),
        ("A2", 0.634, 0.816),
        ("Top", 0.9, 0.9),
        ("Beta", 0.1, 0.2),
    ):
        team = site.world.team(name, baseline=name == "A2")
        site.world.ranked(team, ada, "sample", {"brain": brain, "abdom": abdom})


def compute(world: World) -> None:
    while uncertainty.work(world.platform.database):
        pass


def teams(page: Page) -> Locator:
    return page.locator("tr.entry > th")


def test_columns_sort_by_their_links_and_say_so(tab: Tab, four: None) -> None:
    page = tab.page
    page.goto(f"{PAGE}?task=sample")
    expect(teams(page)).to_have_text(["Top", "A2 baseline", "Saase", "Beta"])
    expect(page.get_by_role("columnheader", name="Place").first).to_have_attribute("aria-sort", "ascending")
    abdom = page.get_by_role("columnheader", name=re.compile("^Abdominal CT"))
    abdom.get_by_role("link").click()
    expect(page).to_have_url(re.compile(r"sort=ap\.abdom$"))
    expect(abdom).to_have_attribute("aria-sort", "descending")
    expect(teams(page)).to_have_text(["Top", "A2 baseline", "Saase", "Beta"])
    abdom.get_by_role("link").click()
    expect(abdom).to_have_attribute("aria-sort", "ascending")
    expect(teams(page)).to_have_text(["Beta", "Saase", "A2 baseline", "Top"])


@pytest.mark.parametrize("javascript", [True, False])
def test_teams_are_filtered_with_and_without_javascript(
    javascript: bool, four: None, request: pytest.FixtureRequest
) -> None:
    page = request.getfixturevalue("tab" if javascript else "plain_tab").page
    page.goto(f"{PAGE}?task=sample&sort=team")
    page.get_by_label("Team", exact=True).fill("a")
    page.get_by_label("Baselines").select_option("hidden")
    page.get_by_role("button", name="Show").click()
    expect(teams(page)).to_have_text(["Beta", "Saase"])
    expect(page.get_by_text("2 of 4 teams; places are those among all.")).to_be_visible()
    expect(page.get_by_label("Team", exact=True)).to_have_value("a")
    row = page.locator("tr.entry", has_text="Saase")
    expect(row.get_by_role("cell").first).to_have_text("2=")
    page.locator("tr.why-row").last.get_by_text("Why this place?").click()
    expect(page.get_by_text("(2 + 3) / 2 = 2.5")).to_be_visible()
    told = page.request.get(page.get_by_role("link", name="JSON").get_attribute("href") or "").json()
    assert [row["team"] for row in told["rows"]] == ["Beta", "Saase"]


def test_the_computation_of_a_place_opens_by_keyboard(tab: Tab, four: None) -> None:
    page = tab.page
    page.goto(f"{PAGE}?task=sample")
    row = page.get_by_role("row", name="Computation of place 2").first
    summary = row.locator("summary")
    summary.focus()
    expect(row.get_by_text("whose mean is the same")).to_be_hidden()
    page.keyboard.press("Enter")
    expect(row.get_by_text("whose mean is the same")).to_be_visible()
    expect(row).to_contain_text("shared with Saase")
    page.keyboard.press("Space")
    expect(row.get_by_text("whose mean is the same")).to_be_hidden()
    page.keyboard.press("Tab")
    expect(page.get_by_role("row", name="Computation of place 2").last.locator("summary")).to_be_focused()


def test_intervals_are_announced_until_they_are_there(site: Site, tab: Tab, ada: User) -> None:
    for name, skill in (("Best", 0.9), ("Middling", 0.4), ("Weak", 0.3)):
        ranked(site.world, name, ada, task="pixel", skill=skill)
    page = tab.page
    page.goto(f"{PAGE}?task=pixel")
    expect(page.get_by_role("status")).to_contain_text("being computed: 200 bootstraps")
    compute(site.world)
    page.reload()
    expect(page.get_by_text("being computed")).to_have_count(0)
    figure = page.get_by_role("img", name="Places in the task Pixel-level, with their intervals")
    expect(figure).to_be_visible()
    expect(figure).to_contain_text("Best: place 1, interval")
    expect(page.locator("td.interval").first).to_have_text(re.compile(r"^\d(–\d)?$"))
    ranked(site.world, "Late", ada, task="pixel", skill=0.6)
    page.reload()
    expect(page.get_by_role("status")).to_contain_text("being computed")
    expect(figure).to_have_count(0)


def test_the_header_stays_in_sight(site: Site, tab: Tab, ada: User) -> None:
    for number in range(30):
        team = site.world.team(f"Team {number}")
        site.world.ranked(team, ada, "sample", {"brain": number / 30, "abdom": number / 30})
    page = tab.page
    for width, height in ((1280, 700), (390, 700)):
        page.set_viewport_size({"width": width, "height": height})
        page.goto(f"{PAGE}?task=sample")
        page.get_by_role("region", name="Leaderboard").evaluate(
            "frame => { frame.scrollIntoView(); frame.scrollTop = frame.scrollHeight }"
        )
        expect(teams(page).last).to_be_in_viewport()
        expect(page.get_by_role("columnheader", name="Team")).to_be_in_viewport()


def test_a_phone_shows_the_board_without_scrolling_the_page_sideways(site: Site, tab: Tab, ada: User) -> None:
    for name, skill in (("A team with a long name, as teams like to have them", 0.9), ("x" * 60, 0.4)):
        ranked(site.world, name, ada, task="pixel", skill=skill)
    compute(site.world)
    page = tab.page
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(f"{PAGE}?task=pixel")
    for summary in page.locator("summary").all():
        summary.click()
    expect(page.get_by_text("How sure is it?").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for name in ("Show", "Pixel-level"):
        box = page.get_by_text(name, exact=True).first.bounding_box()
        assert box is not None
        assert box["height"] >= 24, f"{name} is too small for a finger"


def test_a_day_is_chosen_in_the_form_and_kept_in_the_address(tab: Tab, four: None) -> None:
    page = tab.page
    page.goto(f"{PAGE}?task=sample")
    page.get_by_label("As of").fill("2020-09-12")
    page.get_by_role("button", name="Show").click()
    expect(page).to_have_url(re.compile("as_of=2020-09-12"))
    expect(page.get_by_text("No submission was ranked by the end of 2020-09-12.")).to_be_visible()
    page.get_by_label("As of").fill("2020-09-13")
    page.get_by_role("button", name="Show").click()
    expect(teams(page)).to_have_count(4)
    page.get_by_role("link", name="The board of now").click()
    expect(page.get_by_text("as it stood")).to_have_count(0)
