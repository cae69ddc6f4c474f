"""An organizer goes from the heat map down to a single case, with the mouse and with the keyboard."""

import gzip
import re

import nibabel
import numpy as np
import pytest
from playwright.sync_api import Page, expect

from backend.models.submission import Submission
from backend.results import reporting
from tests.browser.conftest import Site, Tab
from tests.browser.test_frame import AXE, LOOKS, lost_to_the_keyboard, wrong_in
from tests.browser.test_walk import sign_in
from tests.unit.backend.evaluated import analysed, ranked
from tests.unit.backend.world import SIDE, World

AT = "/organize/demo/analysis"
SKILLS = {"Best": 0.9, "Middling": 0.5, "Weak": 0.2}


@pytest.fixture
def best(site: Site) -> Submission:
    """The best of three teams; its anomaly map of one case is kept."""
    world = site.world
    world.challenge(consensus="mean_of_places\n  bootstraps: 100", keep_predictions="true")
    world.analysis_sets()
    ada, _ = world.person("ada"), world.person("boss", "organizer")
    rows = {name: ranked(world, name, ada, skill=skill) for name, skill in SKILLS.items()}
    for name, row in rows.items():
        analysed(world, row, SKILLS[name])
    keep(world, rows["Best"])
    while reporting.work(world.platform.database):
        pass
    return rows["Best"]


def keep(world: World, submission: Submission) -> None:
    heat = np.zeros((SIDE, SIDE, SIDE), np.float32)
    heat[9:13, 5:9, 10:13] = 1.0
    folder = world.platform.storage.scratch("predictions") / submission.id / "pixel" / "brain"
    folder.mkdir(parents=True)
    content = nibabel.Nifti1Image(heat, np.eye(4)).to_bytes()
    (folder / "hidden1brain.nii.gz").write_bytes(gzip.compress(content))


def test_an_organizer_drills_from_the_heat_map_to_a_case(site: Site, tab: Tab, best: Submission) -> None:
    page = tab.page
    sign_in(page, "boss")
    page.goto(f"{AT}?task=pixel")
    page.get_by_role("link", name="Who finds which anomalies?").first.click()
    page.get_by_role("link", name="sphere (2 + 2), Weak:").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#cell")).to_contain_text("sphere on brain")
    rows = page.locator("table.figures tbody tr")
    expect(rows).to_have_count(4)
    page.get_by_role("link", name="Spread").click()
    expect(page.locator("th[aria-sort=descending]")).to_contain_text("Spread")
    page.get_by_label("Label").select_option("abnormal")
    page.get_by_role("button", name="Show").click()
    expect(rows).to_have_count(2)
    page.get_by_role("link", name="hidden1brain").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Case hidden1brain")
    for alt in ("Scan, slice 10", "Ground truth, slice 10", "Anomaly map of Best over the scan, slice 10"):
        image = page.get_by_alt_text(alt, exact=True)
        image.scroll_into_view_if_needed()
        expect(image).to_have_js_property("naturalWidth", 192)
    expect(page.get_by_role("listitem").filter(has_text="Weak")).to_contain_text("Average precision")
    page.get_by_role("link", name="Slice after").click()
    expect(page).to_have_url(re.compile(r"slice=11"))
    expect(page.get_by_alt_text("Scan, slice 11", exact=True)).to_be_visible()


def test_who_waits_for_the_first_report_is_shown_it(site: Site, tab: Tab) -> None:
    site.world.challenge(consensus="mean_of_places\n  bootstraps: 100")
    site.world.person("boss", "organizer")
    ranked(site.world, "Alone", site.world.person("ada"))
    sign_in(tab.page, "boss")
    tab.page.goto(f"{AT}/stability?task=pixel")
    expect(tab.page.get_by_text("computes the first report")).to_be_visible()
    assert reporting.work(site.world.platform.database)
    tab.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(tab.page.get_by_text("from exactly the results of now")).to_be_visible()


def test_every_page_of_the_analysis_is_fit_for_all(site: Site, tab: Tab, best: Submission) -> None:
    page = tab.page
    sign_in(page, "boss")
    questions = ("stability", "significance", "methods", "categories", "curves", "others", "cases")
    paths = [f"{AT}?task=pixel", *(f"{AT}/{slug}?task=pixel" for slug in questions)]
    paths += ["/organize/demo/cases?task=pixel", "/organize/demo/cases/pixel/brain/hidden1brain"]
    paths += ["/challenges/demo/leaderboard/categories?task=pixel", f"{AT}?task=sample"]
    found = [f"{path}: {text}" for path in paths for text in wrong_on(page, path)]
    assert not found, "\n".join(found)


def wrong_on(page: Page, path: str) -> list[str]:
    page.goto(path)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    found = lost_to_the_keyboard(page) if "categories" in path else []
    page.evaluate(AXE.read_text())
    for scheme, width, rules in LOOKS:
        found += [f"{scheme} {width}: {text}" for text in wrong_in(page, scheme, width, rules)]
    return found
