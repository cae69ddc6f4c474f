"""Two submissions beside each other, whose viewers move together."""

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from backend.models.submission import Submission
from tests.browser.conftest import Site, Tab
from tests.browser.test_frame import AXE, LOOKS, lost_to_the_keyboard, wrong_in
from tests.browser.test_walk import sign_in

LOOK = """(pair) => [...pair.querySelectorAll("case-viewer")].map((viewer) => {
    viewer.paint();
    return viewer.state;
})"""


@pytest.fixture
def two(site: Site) -> tuple[Submission, Submission]:
    site.world.challenge()
    ada = site.world.person("ada")
    team = site.world.team("Alpha", ada)
    rows = [
        site.world.ranked(team, ada, "sample", {"brain": brain, "abdom": 0.5}, title=f"method with {brain}")
        for brain in (0.5, 0.75)
    ]
    for row in rows:
        site.world.toy_results(row)
        site.world.toy_results(row, "sample", "abdom")
    return rows[0], rows[1]


def address(two: tuple[Submission, Submission], more: str = "") -> str:
    return f"/submissions/compare?a={two[0].id}&b={two[1].id}{more}"


def states(pair: Locator) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pair.evaluate(LOOK)
    return found


def opened(page: Page, path: str) -> Locator:
    page.goto(path)
    pair = page.locator("viewer-pair[ready]")
    expect(pair).to_be_attached()
    return pair


def test_both_viewers_show_the_same_whichever_is_moved(tab: Tab, two: tuple[Submission, Submission]) -> None:
    page = tab.page
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    sign_in(page, "ada")
    pair = opened(page, address(two))
    assert len([url for url in asked if url.endswith("/volumes/image")]) == 1
    first, second = (pair.get_by_role("group", name=re.compile(f"^{letter}, ")) for letter in "AB")
    expect(page.get_by_role("row", name=re.compile("^Brain MRI"))).to_contain_text("+0.250")
    assert states(pair)[0] == states(pair)[1]
    second.get_by_label("Axial slice", exact=True).press("ArrowRight")
    expect(first.get_by_label("Axial slice", exact=True)).to_have_value("11")
    first.get_by_label("Coronal slice", exact=True).press("ArrowLeft")
    expect(second.get_by_label("Coronal slice", exact=True)).to_have_value("4")
    first.get_by_label("Threshold").fill("0.25")
    first.get_by_label("Width").fill("0.4")
    first.get_by_role("checkbox", name="Crosshair").uncheck()
    second.get_by_role("application", name=re.compile("^Sagittal plane")).focus()
    page.keyboard.press("k")
    expect(first.get_by_label("Sagittal slice", exact=True)).to_have_value("10")
    expect(second.get_by_label("Sagittal slice", exact=True)).to_have_value("10")
    here, there = states(pair)
    assert here == there
    assert (here["at"], here["threshold"], here["width"], here["crosshair"]) == (
        [10, 4, 11],
        0.25,
        0.4,
        False,
    )

    expect(page).to_have_url(re.compile(r"&at=10,4,11&threshold=0\.25&window=0\.5,0\.4&hide=crosshair$"))
    page.reload()
    expect(page.locator("viewer-pair[ready]")).to_be_attached()
    assert states(page.locator("viewer-pair")) == [here, here]


def test_what_is_pointed_at_in_one_is_told_of_both(tab: Tab, two: tuple[Submission, Submission]) -> None:
    page = tab.page
    sign_in(page, "ada")
    pair = opened(page, address(two, "&task=sample&dataset=abdom&case=toy_1.nii.gz"))
    expect(page.get_by_text("no anomaly map")).to_have_count(2)
    expect(pair.get_by_label("Threshold")).to_have_count(0)
    stage = pair.get_by_role("application", name=re.compile("^Axial plane")).last
    stage.scroll_into_view_if_needed()
    stage.hover(position={"x": 5, "y": 5})
    expect(pair.get_by_text("Under the pointer")).to_have_count(2)
    expect(pair.locator("[data-of=voxel]")).to_have_text(["0, 15, 8", "0, 15, 8"])


def test_a_phone_shows_one_above_the_other(tab: Tab, two: tuple[Submission, Submission]) -> None:
    page = tab.page
    page.set_viewport_size({"width": 390, "height": 800})
    sign_in(page, "ada")
    pair = opened(page, address(two))
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    boxes = [box.bounding_box() or {} for box in pair.locator(".planes").all()]
    assert boxes[0]["y"] + boxes[0]["height"] <= boxes[1]["y"]
    assert min(box["width"] for box in boxes) > 300
    controls = pair.get_by_text("Window of the scan").bounding_box() or {}
    assert controls["y"] > boxes[1]["y"] + boxes[1]["height"]


def test_axe_finds_nothing_and_tab_reaches_everything(tab: Tab, two: tuple[Submission, Submission]) -> None:
    page = tab.page
    sign_in(page, "ada")
    for path in (address(two), "/submissions/compare"):
        page.goto(path)
        assert lost_to_the_keyboard(page) == [], path
        page.evaluate(AXE.read_text())
        for scheme, width, rules in LOOKS:
            assert wrong_in(page, scheme, width, rules) == [], (path, scheme, width)


def test_without_script_there_are_pictures_and_links(
    plain_tab: Tab, two: tuple[Submission, Submission]
) -> None:
    page = plain_tab.page
    sign_in(page, "ada")
    page.goto("/submissions/compare")
    page.get_by_label("First").select_option(two[0].id)
    page.get_by_label("Second").select_option(two[1].id)
    page.get_by_role("button", name="Compare").click()
    for letter in "AB":
        expect(page.get_by_alt_text(f"{letter}: map over scan, slice 10")).to_be_visible()
    page.get_by_role("link", name="Slice after").click()
    for letter in "AB":
        expect(page.get_by_alt_text(f"{letter}: map over scan, slice 11")).to_be_visible()
    page.get_by_role("link", name="Coronal").click()
    expect(page.get_by_alt_text("A: map over scan, slice 5")).to_be_visible()
    page.get_by_role("link", name="toy_0.nii.gz").first.click()
    expect(page.get_by_text("missing: toy_0.nii.gz: not written")).to_have_count(2)


def test_pictures_stay_when_the_volumes_do_not_come(tab: Tab, two: tuple[Submission, Submission]) -> None:
    sign_in(tab.page, "ada")
    tab.page.route("**/volumes/map", lambda route: route.abort("connectionreset"))
    tab.page.goto(address(two))
    expect(tab.page.get_by_text("The volumes could not be loaded")).to_have_count(2)
    expect(tab.page.get_by_alt_text("A: map over scan")).to_be_visible()
    expect(tab.page.get_by_role("link", name="Slice after")).to_be_visible()
    tab.complaints[:] = [text for text in tab.complaints if "ERR_CONNECTION_RESET" not in text]
