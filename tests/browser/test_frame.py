"""What every page has in common: nothing for axe to find, the keyboard, phones, two tabs, no JavaScript."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import iter_route_contexts
from playwright.sync_api import Browser, Page, expect

from backend.models.sample import WorkingSample
from backend.models.submission import Submission
from backend.models.team import Invitation
from backend.models.upload import Upload
from backend.web.pages import router
from tests.browser.conftest import Site, Tab
from tests.browser.test_walk import sign_in
from tests.unit.backend.world import World

AXE = Path(__file__).parents[2] / "node_modules/axe-core/axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
WHO = ("visitor", "ada", "boss")
EVERYTHING = {"type": "tag", "values": RULES}
CONTRAST = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
# Dark is only other colours.
LOOKS: list[tuple[Any, int, object]] = [
    ("light", 1280, EVERYTHING),
    ("dark", 1280, CONTRAST),
    ("light", 390, EVERYTHING),
]
FIND = """async (rules) => {
    const found = await axe.run({ runOnly: rules, resultTypes: ["violations"], preload: false });
    return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" | ")}`);
}"""
# Everything that answers to a key, and what of it has a place in the order of Tab.
KEYS = "a[href], button:not(:disabled), input:not([type=hidden], :disabled), select, summary, [tabindex='0']"
REACHABLE = """(selector) => {
    const shown = [...document.querySelectorAll(selector)].filter((item) => item.checkVisibility());
    const radios = new Set(shown.filter((item) => item.type === "radio").map((item) => item.name));
    return shown.filter((item) => item.type !== "radio").length + radios.size;
}"""
# Notes where each Tab leads. Of a field of several parts, as a date is, one part or another has a ring.
NOTE = """() => {
    globalThis.stops = new Map();
    document.addEventListener("keyup", () => {
        const item = document.activeElement;
        if (!item || item === document.body || item.id === "main") return;
        const style = getComputedStyle(item);
        const ring = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
        stops.set(item, stops.get(item) || ring);
    });
}"""
NOTED = """() => [...stops].map(([item, ring]) => [item.outerHTML.slice(0, 120), ring])"""


FAILED = "f" * 24


def stage(world: World) -> Submission:
    """A challenge with all that a page may show; ada takes part, boss organizes."""
    world.challenge()
    world.challenge("empty")
    ada, _ = world.person("ada"), world.person("boss", "organizer")
    team = world.team("Alpha", ada)
    ranked = world.ranked(team, ada, "sample", {"brain": 0.9, "abdom": 0.8}, title="ranked_method")
    world.ranked(world.team("Beta", baseline=True), ada, "sample", {"brain": 0.9, "abdom": None})
    failed = world.submission(team, ada, title="failing", id=FAILED)
    sentence = {"failure_code": "wrong_shape", "failure_message": "toy_2.nii.gz: 127 slices, 128 expected"}
    world.moved(failed, "toy", "failed")
    world.set(failed, **sentence, failure_detail="Traceback\n" * 80)
    world.toy_results(ranked)
    world.hidden_shard(ranked, 0)
    waiting = world.submission(team, ada, title="waiting")
    world.run(waiting, "verify")
    half = {"file_name": "image.tar.gz", "size": 1000, "offset": 330, "sha256": "cd" * 32, "expires_at": 2e10}
    world.add(Upload(user_id=ada.id, challenge_id="demo", **half))
    kit = {"title": "The kit", "archive_sha256": "ab" * 32, "archive_size": 1000}
    world.add(WorkingSample(challenge_id="demo", **kit))
    world.add(Invitation(token_hash="ef" * 32, team_id=team.id, created_by=ada.id, expires_at=2e10))
    return ranked


def pages(submission: Submission, who: str) -> list[str]:
    at = "/challenges/demo"
    public = ["/", at, f"{at}/leaderboard?task=sample", "/challenges/empty/leaderboard", "/nothing-here"]
    if who == "visitor":
        return [*public, "/sign-in", "/sign-up"]
    case = f"/submissions/{submission.id}/toy/pixel/brain/toy_1.nii.gz"
    own = [
        "/account",
        f"{at}/team",
        f"{at}/submit",
        f"{at}/submissions",
        f"{at}/submissions?sort=title&state=active",
        f"/submissions/{FAILED}",
        f"/submissions/{submission.id}",
        case,
    ]
    if who == "ada":
        return [
            *public,
            *own,
            *(f"/challenges/empty/{name}" for name in ("team", "submit", "submissions")),
            "/organize",
        ]
    organize = ["/organize", "/organize/demo/teams", "/organize/demo/scoring", "/organize/empty/scoring"]
    deed = f"deed=withdraw&id={submission.id}"
    listed = "/organize/submissions"
    organize += [listed, f"{listed}?team=nobody", f"{listed}/plan?{deed}", f"{listed}/done?{deed}"]
    organize += ["/organize/audit", "/organize/empty/teams"]
    organize += [
        f"/organize/{name}/{page}" for name in ("demo", "empty") for page in ("reveal", "settings", "export")
    ]
    organize += ["/organize/demo/analysis", "/organize/empty/analysis"]
    return ["/", *organize, f"/submissions/{submission.id}"]


# Pages that axe looks at in tests of their own, and one that leads on.
ELSEWHERE = {
    "/submissions/compare",
    "/challenges/{challenge}/submissions/compare",
    "/challenges/{challenge}/leaderboard/categories",
    "/organize/{challenge}/cases",
    "/organize/{challenge}/analysis/{question}",
    "/organize/{challenge}/cases/{task}/{dataset}/{case}",
}


def test_no_page_is_forgotten() -> None:
    walked = [path.partition("?")[0] for who in WHO for path in pages(Submission(id="x"), who)]
    for context in iter_route_contexts(router.routes):
        if "GET" in (context.methods or ()) and context.path not in ELSEWHERE:
            pattern = re.sub(r"\{\w+\}", "[^/]+", context.path)
            assert any(re.fullmatch(pattern, path) for path in walked), context.path


@pytest.fixture(params=WHO)
def walk(request: pytest.FixtureRequest, site: Site, browser: Browser) -> Iterator[tuple[Page, list[str]]]:
    """A page of somebody, and the addresses that exist for them."""
    submission = stage(site.world)
    context = browser.new_context(base_url=site.url)
    page = context.new_page()
    if request.param != "visitor":
        sign_in(page, request.param)
    yield page, pages(submission, request.param)
    context.close()


def test_no_page_has_anything_for_axe_to_find_and_each_is_walked_by_keyboard(
    walk: tuple[Page, list[str]],
) -> None:
    page, paths = walk
    assert AXE.exists(), "no axe here; `make test` brings it, or: sh setup/assets.sh test"
    found, axe = [], AXE.read_text()
    for path in paths:
        page.goto(path)
        found += [f"{path} by keyboard: {text}" for text in lost_to_the_keyboard(page)]
        page.evaluate(axe)
        for scheme, width, rules in LOOKS:
            found += [f"{path} {scheme} {width}: {text}" for text in wrong_in(page, scheme, width, rules)]
    assert not found, "\n".join(found)


def lost_to_the_keyboard(page: Page) -> list[str]:
    """What Tab does not stop at on its way through a page, and stops that one does not see."""
    expected = page.evaluate(REACHABLE, KEYS)
    page.evaluate(NOTE)
    stops: list[tuple[str, bool]] = []
    # A field that has the focus from the start is in the middle of the way, which then goes on from the top;
    # and a field of several parts takes more than one key.
    for _ in range(3):
        for _ in range(expected - len(stops) + 2):
            page.keyboard.press("Tab")
        stops = page.evaluate(NOTED)
        if len(stops) >= expected:
            break
    unseen = [f"no ring around {what}" for what, ring in stops if not ring]
    return [*unseen, *([f"{expected - len(stops)} were not reached"] if len(stops) < expected else [])]


def wrong_in(page: Page, scheme: Any, width: int, rules: object = EVERYTHING) -> list[str]:
    """What axe finds, and whether the page must be scrolled sideways."""
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # colours change at once
    page.set_viewport_size({"width": width, "height": 900})
    wide = page.evaluate("document.documentElement.scrollWidth")
    return [*page.evaluate(FIND, rules), *([f"{wide} wide"] if wide > width else [])]


def test_the_first_key_leads_past_the_bar(site: Site, tab: Tab) -> None:
    site.world.challenge()
    tab.page.goto("/challenges/demo")
    tab.page.keyboard.press("Tab")
    expect(tab.page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
    tab.page.keyboard.press("Enter")
    expect(tab.page.locator("main")).to_be_focused()


def test_two_tabs_follow_a_submission_and_keep_what_was_unfolded(site: Site, tab: Tab) -> None:
    submission = stage(site.world)
    waiting = _waiting(site.world)
    sign_in(tab.page, "ada")
    other = tab.context.new_page()
    other.goto("/challenges/demo/submissions")
    tab.page.goto(f"/submissions/{waiting.id}")
    badge, row = tab.page.locator(".state .badge"), other.get_by_role("row", name="waiting")
    expect(badge).to_have_text("checking the image")
    site.world.toy_results(waiting)
    site.world.moved(waiting, "toy")
    expect(badge).to_have_text("running toy cases")
    expect(row).to_contain_text("running toy cases")
    tab.page.locator("details.log summary").click()
    site.world.moved(waiting, "toy", "score", "finished")
    expect(badge).to_have_text("finished")
    expect(row).to_contain_text("finished")
    expect(tab.page.get_by_text("hello from toy_1.nii.gz")).to_be_visible()
    expect(tab.page.locator("#stream")).to_have_count(0)
    expect(other.locator("#stream")).to_have_count(0)
    assert submission.id != waiting.id


def _waiting(world: World) -> Submission:
    with world.read() as session:
        return session.query(Submission).filter_by(title="waiting").one()


HIDE = """(hidden) => {
    Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
}"""
EVENTS = re.compile(r"/events$")


def test_a_tab_that_nobody_looks_at_gives_its_connection_back_and_catches_up_later(
    site: Site, tab: Tab
) -> None:
    stage(site.world)
    waiting = _waiting(site.world)
    sign_in(tab.page, "ada")
    with tab.page.expect_response(EVENTS):
        tab.page.goto(f"/submissions/{waiting.id}")
    with tab.page.expect_event("requestfailed", lambda request: EVENTS.search(request.url) is not None):
        tab.page.evaluate(HIDE, True)
    site.world.moved(waiting, "toy")
    with tab.page.expect_response(EVENTS):
        tab.page.evaluate(HIDE, False)
    expect(tab.page.locator(".state .badge")).to_have_text("running toy cases")


def test_a_broken_line_is_told(site: Site, tab: Tab) -> None:
    stage(site.world)
    sign_in(tab.page, "ada")
    tab.page.route(EVENTS, lambda route: route.abort("connectionreset"))
    tab.page.goto(f"/submissions/{_waiting(site.world).id}")
    expect(tab.page.get_by_text("The line is broken; trying again")).to_be_visible()
    expected = ("ERR_CONNECTION_RESET", "Failed to fetch")
    tab.complaints[:] = [text for text in tab.complaints if not any(part in text for part in expected)]


def test_whoever_was_signed_out_in_another_tab_is_asked_to_sign_in(site: Site, tab: Tab) -> None:
    stage(site.world)
    waiting = _waiting(site.world)
    sign_in(tab.page, "ada")
    tab.page.goto(f"/submissions/{waiting.id}")
    expect(tab.page.locator(".state .badge")).to_have_text("checking the image")
    tab.context.clear_cookies()
    site.world.moved(waiting, "toy")
    expect(tab.page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_every_page_works_without_javascript(site: Site, plain_tab: Tab) -> None:
    submission = stage(site.world)
    sign_in(plain_tab.page, "boss")
    for path in pages(submission, "boss"):
        plain_tab.page.goto(path)
        expect(plain_tab.page.get_by_role("heading", level=1)).to_be_visible()
    plain_tab.page.goto("/challenges/demo/leaderboard?task=sample")
    expect(plain_tab.page.get_by_role("row", name="Alpha")).to_be_visible()


def test_a_page_and_its_bundle_are_small_and_come_from_here(site: Site, tab: Tab) -> None:
    stage(site.world)
    sizes: dict[str, int] = {}
    tab.page.on(
        "requestfinished",
        lambda request: sizes.__setitem__(request.url, request.sizes()["responseBodySize"]),
    )
    tab.page.goto("/challenges/demo/leaderboard?task=sample", wait_until="networkidle")
    assert all(url.startswith(site.url) for url in sizes)
    assert sum(sizes.values()) < 40 * 1024, sizes
    licences = tab.page.request.get("/static/dist/licences.txt").text()
    assert "htmx.org 4." in licences
    assert "Permission is hereby granted" in licences
    assert "licences.txt" in tab.page.request.get("/static/dist/site.js").text()[:80]
