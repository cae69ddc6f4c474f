import base64
import re
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Locator, expect

from backend.models.submission import Submission
from tests.browser.conftest import Site, Tab
from tests.browser.test_walk import sign_in
from tests.unit.backend.world import SIDE

Pixels = NDArray[np.int_]

HOTTEST = (9, 5, 10)  # the first of the slices that hold the blob of `World.toy_results`
TRUTH = (0, 220, 255)


@pytest.fixture
def submission(site: Site) -> Submission:
    site.world.challenge()
    ada = site.world.person("ada")
    submission = site.world.submission(site.world.team("Alpha", ada), ada)
    site.world.toy_results(submission)
    return submission


def address(submission: Submission, more: str = "") -> str:
    return f"/submissions/{submission.id}/toy/pixel/brain/toy_1.nii.gz{more}"


def opened(tab: Tab, submission: Submission, more: str = "") -> Locator:
    """The viewer of the abnormal toy case, ready."""
    if "/toy/" not in tab.page.url:
        sign_in(tab.page, "ada")
    tab.page.goto(address(submission, more))
    viewer = tab.page.locator("case-viewer[ready]")
    expect(viewer).to_be_attached()
    return viewer


def state(viewer: Locator) -> dict[str, Any]:
    """What the viewer shows, after it has been drawn."""
    found: dict[str, Any] = viewer.evaluate("(viewer) => { viewer.paint(); return viewer.state; }")
    return found


def slices(viewer: Locator) -> tuple[int, ...]:
    """The voxel under the crosshair, as the sliders of the planes say it."""
    names = ("Sagittal slice", "Coronal slice", "Axial slice")
    return tuple(int(viewer.get_by_label(name, exact=True).input_value()) for name in names)


def pixels(viewer: Locator, plane: str = "Axial") -> Pixels:
    """A plane's canvas, drawn anew: (rows, columns, red green blue)."""
    address = viewer.locator(f".plane[data-name={plane}] canvas").evaluate(
        "(canvas) => { canvas.closest('case-viewer').paint(); return canvas.toDataURL(); }"
    )
    content = base64.b64decode(address.partition(",")[2])
    return np.asarray(Image.open(BytesIO(content)).convert("RGB")).astype(int)


def coloured(picture: Pixels) -> NDArray[np.bool_]:
    """Where the anomaly map is seen: red outweighs blue there only."""
    found: NDArray[np.bool_] = picture[..., 0] > picture[..., 2] + 10
    return found


def outlined(picture: Pixels) -> int:
    """How many pixels are of the outline of the truth."""
    return int((picture == TRUTH).all(axis=-1).sum())


def test_the_viewer_opens_at_the_hottest_slices_and_shows_map_and_truth(
    tab: Tab, submission: Submission
) -> None:
    viewer = opened(tab, submission)
    assert slices(viewer) == HOTTEST
    assert tuple(state(viewer)["at"]) == HOTTEST
    for plane in ("Axial", "Coronal", "Sagittal"):
        picture = pixels(viewer, plane)
        assert outlined(picture), plane
        assert coloured(picture).mean() > 1 / 40, plane  # of 16 x 16 voxels at least 4 x 3
    expect(tab.page.get_by_text("Scores come from the original")).to_be_visible()
    expect(viewer.locator("dd[data-of=map-value]")).to_have_text("1.00")
    expect(viewer.locator("dd[data-of=truth-value]")).to_have_text("anomaly")
    expect(tab.page.locator(".fallback")).to_be_hidden()


def test_left_is_left_and_up_is_up(tab: Tab, submission: Submission) -> None:
    viewer = opened(tab, submission, "?hide=scan,truth,crosshair")
    # The blob lies at x 9 to 12, y 5 to 8, z 10 to 12.
    middles = {"Axial": (11, 7), "Coronal": (11, 11.5), "Sagittal": (7, 11.5)}
    for plane, (across, up) in middles.items():
        hot = coloured(pixels(viewer, plane))
        rows, columns = np.nonzero(hot)
        assert columns.mean() / hot.shape[1] * SIDE == pytest.approx(across, abs=0.1), plane
        assert SIDE - rows.mean() / hot.shape[0] * SIDE == pytest.approx(up, abs=0.1), plane
    assert viewer.locator(".plane[data-name=Axial] .end").all_text_contents() == ["L", "R", "A", "P"]
    assert viewer.locator(".plane[data-name=Sagittal] .end").all_text_contents() == ["P", "A", "S", "I"]


def test_keys_change_slices_threshold_and_layers(tab: Tab, submission: Submission) -> None:
    viewer = opened(tab, submission)
    keyboard = tab.page.keyboard
    keyboard.press("k")
    keyboard.press("k")
    keyboard.press("j")
    expect(viewer.get_by_label("Axial slice", exact=True)).to_have_value("11")
    keyboard.press("]")
    keyboard.press("]")
    keyboard.press("[")
    expect(viewer.get_by_label("Threshold")).to_have_value("0.55")
    keyboard.press("g")
    expect(viewer.get_by_label("Ground truth")).not_to_be_checked()
    viewer.get_by_role("application", name=re.compile("Coronal plane")).focus()
    keyboard.press("k")
    keyboard.press("ArrowRight")
    keyboard.press("ArrowUp")
    expect(viewer.get_by_label("Coronal slice", exact=True)).to_have_value("6")
    assert tuple(state(viewer)["at"]) == (10, 6, 12)
    keyboard.press("h")
    expect(viewer.get_by_label("Axial slice", exact=True)).to_have_value("10")
    keyboard.press("?")
    expect(tab.page.get_by_role("dialog", name="Keys of the viewer")).to_be_visible()
    keyboard.press("Escape")
    expect(tab.page.get_by_role("dialog")).to_be_hidden()


def test_single_keys_can_be_confined_to_the_viewer(tab: Tab, submission: Submission) -> None:
    viewer = opened(tab, submission)
    viewer.get_by_role("button", name="Keys").click()
    viewer.get_by_label("Keys work wherever").uncheck()
    viewer.get_by_role("button", name="Close").click()
    viewer = opened(tab, submission)
    tab.page.keyboard.press("k")
    assert slices(viewer) == HOTTEST
    viewer.get_by_role("application").first.focus()
    tab.page.keyboard.press("k")
    expect(viewer.get_by_label("Axial slice", exact=True)).to_have_value("11")


def test_a_link_brings_back_what_was_seen(tab: Tab, submission: Submission) -> None:
    viewer = opened(tab, submission)
    viewer.get_by_label("Axial slice", exact=True).press("ArrowRight")
    viewer.get_by_label("Threshold").fill("0.25")
    viewer.get_by_label("Width").fill("0.4")
    viewer.get_by_role("checkbox", name="Crosshair").uncheck()
    link = re.compile(r"\?at=9,5,11&threshold=0\.25&window=0\.5,0\.4&hide=crosshair$")
    expect(tab.page).to_have_url(link)
    before, seen = state(viewer), pixels(viewer)
    tab.page.reload()
    viewer = tab.page.locator("case-viewer[ready]")
    assert state(viewer) == before
    assert np.array_equal(pixels(viewer), seen)
    viewer.get_by_role("button", name="Reset").click()
    expect(tab.page).to_have_url(re.compile(r"\?at=9,5,10$"))


@pytest.mark.parametrize("more", ["?at=99,-7,x&threshold=7&window=,&hide=all", "?at=,&opacity=-1&window=x,y"])
def test_a_link_that_asks_for_nonsense_shows_what_there_is(
    tab: Tab, submission: Submission, more: str
) -> None:
    found = state(opened(tab, submission, more))
    assert all(0 <= index < SIDE for index in found["at"])
    assert all(0 <= found[name] <= 1 for name in ("threshold", "opacity", "level", "width"))


def test_a_link_without_script_leads_to_the_same_slice_with_script(tab: Tab, submission: Submission) -> None:
    assert slices(opened(tab, submission, "?axis=0&slice=3")) == (3, *HOTTEST[1:])


def test_the_ground_truth_is_an_outline_that_can_be_put_away(tab: Tab, submission: Submission) -> None:
    viewer = opened(tab, submission)
    with_truth = pixels(viewer)
    assert 0 < outlined(with_truth) < with_truth.size / 3 / 20
    viewer.get_by_label("Ground truth").uncheck()
    assert outlined(pixels(viewer)) == 0
    viewer.get_by_label("Ground truth").check()
    assert np.array_equal(pixels(viewer), with_truth)


def test_the_threshold_decides_what_of_the_map_is_drawn(tab: Tab, submission: Submission) -> None:
    viewer = opened(tab, submission, "?hide=truth,crosshair")
    viewer.evaluate("(viewer) => viewer.volumes.map.set([100], 8 + 16 * (2 + 16 * 10))")  # a weaker voxel

    def shown() -> int:
        return int(coloured(pixels(viewer)).sum())

    viewer.get_by_label("Threshold").fill("0.39")
    both = shown()
    viewer.get_by_label("Threshold").fill("0.4")
    blob = shown()
    assert both / blob == pytest.approx(17 / 16, abs=0.01)
    viewer.get_by_label("Opacity").fill("0")
    assert shown() == 0
    viewer.get_by_label("Opacity").fill("1")
    assert shown() == blob
    viewer.get_by_label("Anomaly map").uncheck()
    assert shown() == 0


def test_the_window_makes_the_scan_brighter_or_darker(tab: Tab, submission: Submission) -> None:
    viewer = opened(tab, submission, "?hide=map,truth,crosshair")
    plain = pixels(viewer).mean()
    viewer.get_by_label("Level").fill("0.2")
    brighter = pixels(viewer).mean()
    viewer.get_by_label("Level").fill("0.9")
    assert pixels(viewer).mean() < plain < brighter


def test_wheel_and_pointer_move_through_linked_planes(tab: Tab, submission: Submission) -> None:
    viewer = opened(tab, submission)
    stage = viewer.get_by_role("application", name=re.compile("Axial plane"))
    box = stage.bounding_box()
    assert box is not None
    voxel = box["width"] / 16
    tab.page.mouse.move(box["x"] + 2.5 * voxel, box["y"] + 3.5 * voxel)
    expect(viewer.get_by_text("Under the pointer")).to_be_visible()
    expect(viewer.locator("[data-of=voxel]")).to_have_text("2, 12, 10")
    tab.page.mouse.wheel(0, -100)
    expect(viewer.get_by_label("Axial slice", exact=True)).to_have_value("11")
    tab.page.mouse.down()
    expect(viewer.get_by_label("Sagittal slice", exact=True)).to_have_value("2")
    tab.page.mouse.move(box["x"] + 6.5 * voxel, box["y"] + 12.5 * voxel)
    tab.page.mouse.up()
    expect(viewer.get_by_label("Coronal slice", exact=True)).to_have_value("3")
    assert slices(viewer) == (6, 3, 11)
    tab.page.mouse.move(1, 1)
    expect(viewer.get_by_text("Under the crosshair")).to_be_visible()


def test_a_case_without_a_map_shows_scan_and_truth(site: Site, tab: Tab, submission: Submission) -> None:
    site.world.toy_results(submission, "sample", "abdom")
    sign_in(tab.page, "ada")
    tab.page.goto(f"/submissions/{submission.id}/toy/sample/abdom/toy_1.nii.gz")
    viewer = tab.page.locator("case-viewer[ready]")
    assert slices(viewer) == (8, 8, 8)
    expect(viewer.get_by_label("Threshold")).to_have_count(0)
    tab.page.keyboard.press("]")
    viewer.get_by_label("Axial slice", exact=True).fill("11")
    viewer.get_by_label("Sagittal slice", exact=True).fill("10")
    assert outlined(pixels(viewer))
    assert not coloured(pixels(viewer)).any()


def test_without_script_there_are_pictures_and_a_form(plain_tab: Tab, submission: Submission) -> None:
    page = plain_tab.page
    sign_in(page, "ada")
    page.goto(address(submission))
    picture = page.get_by_alt_text("Map over scan")
    expect(picture).to_have_attribute("src", re.compile(r"/2/10\.webp\?layer=overlay$"))
    assert page.get_by_role("application").count() == 0
    page.get_by_role("link", name="Slice after").click()
    expect(picture).to_have_attribute("src", re.compile(r"/2/11\.webp"))
    page.get_by_role("slider").press("ArrowLeft")
    page.get_by_role("button", name="Show").click()
    expect(page).to_have_url(re.compile(r"axis=2&slice=10$"))
    page.get_by_role("link", name="Coronal").click()
    expect(picture).to_have_attribute("src", re.compile(r"/1/5\.webp"))


def test_pictures_of_the_server_stay_when_the_volumes_do_not_come(tab: Tab, submission: Submission) -> None:
    sign_in(tab.page, "ada")
    tab.page.route("**/volumes/map", lambda route: route.abort("connectionreset"))
    tab.page.goto(address(submission))
    expect(tab.page.get_by_text("The volumes could not be loaded")).to_be_visible()
    expect(tab.page.get_by_alt_text("Map over scan")).to_be_visible()
    expect(tab.page.get_by_role("application")).to_have_count(0)
    tab.complaints[:] = [text for text in tab.complaints if "ERR_CONNECTION_RESET" not in text]


def test_the_viewer_fits_a_phone_and_follows_a_finger(tab: Tab, submission: Submission) -> None:
    tab.page.set_viewport_size({"width": 390, "height": 800})
    viewer = opened(tab, submission)
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= 390
    for stage in viewer.get_by_role("application").all():
        assert (stage.bounding_box() or {})["width"] > 150
    finger = tab.context.new_cdp_session(tab.page)
    box = viewer.get_by_role("application", name=re.compile("Axial plane")).bounding_box()
    assert box is not None
    point = {"x": box["x"] + box["width"] * 0.1, "y": box["y"] + box["height"] * 0.1}
    finger.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [point]})
    finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect(viewer.get_by_label("Sagittal slice", exact=True)).to_have_value("1")
    expect(viewer.get_by_label("Coronal slice", exact=True)).to_have_value("14")
    viewer.get_by_role("button", name="Axial: slice after").click()
    expect(viewer.get_by_label("Axial slice", exact=True)).to_have_value("11")


def test_another_teams_case_is_not_there(site: Site, tab: Tab, submission: Submission) -> None:
    site.world.person("eve")
    sign_in(tab.page, "eve")
    for path in (address(submission), f"/api/v1{address(submission)}/volumes/map"):
        assert tab.page.request.get(path).status == 404, path


def test_the_focus_of_the_keyboard_is_seen(tab: Tab, submission: Submission) -> None:
    viewer = opened(tab, submission)
    tab.page.keyboard.press("Tab")
    for locator in (viewer.get_by_role("application").first, viewer.get_by_label("Threshold")):
        locator.focus()
        seen = locator.evaluate(
            "(element) => getComputedStyle(element).outlineStyle + getComputedStyle(element).boxShadow"
        )
        assert seen != "nonenone"
