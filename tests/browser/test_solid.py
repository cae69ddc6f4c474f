"""The 3-D view of a toy case: loaded on demand, where the browser has WebGL."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, expect

from backend.models.submission import Submission
from tests.browser.conftest import FLAGS, Site, Tab, opened_tab
from tests.browser.test_viewer import opened, submission
from tests.unit.backend.world import SIDE

__all__ = ["submission"]

DRAWN = """(viewer) => {
    const { view } = viewer.solid.solid;
    const alphas = view.volumes[1] && view.colormap("moodarena");
    return {
        layers: view.volumes.map((volume) => [volume.hdr.dims[1], volume.opacity]),
        window: [view.volumes[0].cal_min, view.volumes[0].cal_max],
        hidden: alphas && [...alphas].filter((value, index) => index % 4 === 3 && !value).length,
        at: [...view.scene.crosshairPos],
        turned: [view.scene.renderAzimuth, view.scene.renderElevation],
        scale: view.scene.volScaleMultiplier,
    };
}"""


def section(viewer: Locator) -> Locator:
    return viewer.locator(".solid")


def test_the_body_is_drawn_on_demand_with_what_the_planes_show(tab: Tab, submission: Submission) -> None:
    asked: list[str] = []
    tab.page.on("request", lambda request: asked.append(request.url))
    viewer = opened(tab, submission)
    button = viewer.get_by_role("button", name="3-D")
    expect(button).to_have_attribute("aria-expanded", "false")
    assert not [url for url in asked if re.search("niivue|solid.js", url)]
    button.click()
    expect(section(viewer)).to_have_attribute("data-state", "ready")
    expect(button).to_have_attribute("aria-expanded", "true")
    assert [url for url in asked if url.endswith("niivue.js")]
    drawn = viewer.evaluate(DRAWN)
    assert drawn["layers"] == [[SIDE, 1], [SIDE, 1]]
    assert drawn["at"] == pytest.approx([(index + 0.5) / SIDE for index in (9, 5, 10)])
    assert drawn["hidden"] == 128

    viewer.get_by_label("Threshold").fill("0.25")
    viewer.get_by_label("Width").fill("0.5")
    viewer.get_by_label("Axial slice", exact=True).press("ArrowRight")
    viewer.get_by_role("checkbox", name="Scan").uncheck()
    expect(tab.page).to_have_url(re.compile("hide=scan$"))
    drawn = viewer.evaluate(DRAWN)
    assert drawn["hidden"] == 64
    assert drawn["window"] == pytest.approx([63.75, 191.25])
    assert drawn["at"][2] == pytest.approx(11.5 / SIDE)
    assert drawn["layers"][0] == [SIDE, 0]

    body = viewer.get_by_role("application", name="Three-dimensional view")
    body.press("ArrowRight")
    body.press("ArrowUp")
    body.press("+")
    turned = viewer.evaluate(DRAWN)
    assert turned["turned"] == [drawn["turned"][0] - 10, drawn["turned"][1] - 10]
    assert turned["scale"] > drawn["scale"]
    assert (body.bounding_box() or {})["height"] > 300
    button.click()
    expect(section(viewer)).to_be_hidden()


@pytest.fixture
def tab_without_webgl(browser: Browser, browser_path: str | None, site: Site) -> Iterator[Tab]:
    path = browser_path or browser.browser_type.executable_path
    other = browser.browser_type.launch(executable_path=path, args=[*FLAGS, "--disable-3d-apis"])
    yield from opened_tab(other, site, javascript=True)
    other.close()


def test_without_webgl_a_sentence_says_so_and_the_planes_stay(
    tab_without_webgl: Tab, submission: Submission
) -> None:
    tab = tab_without_webgl
    viewer = opened(tab, submission)
    asked: list[str] = []
    tab.page.on("request", lambda request: asked.append(request.url))
    viewer.get_by_role("button", name="3-D").click()
    expect(viewer.get_by_text("This browser offers no WebGL 2")).to_be_visible()
    expect(section(viewer)).to_have_attribute("data-state", "missing")
    expect(viewer.get_by_role("application", name="Three-dimensional view")).to_be_hidden()
    viewer.get_by_role("button", name="Axial: slice after").click()
    expect(viewer.get_by_label("Axial slice", exact=True)).to_have_value("11")
    assert not [url for url in asked if "niivue" in url]
