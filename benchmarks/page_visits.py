"""Visits of a real browser: when something is seen, when what one came for is, and how much came for it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, StorageState, sync_playwright

from tests.browser.conftest import FLAGS
from tests.services import chromium
from tests.unit.backend.world import PASSWORD

# Marks the frame after the one that shows what the visitor came for.
WATCH = """(selector) => {
    const look = () => {
        const item = document.querySelector(selector);
        if (item && item.checkVisibility()) requestAnimationFrame(() => performance.mark("shown"));
        else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
}"""
PAINTS = """() => {
    const at = (name) => performance.getEntriesByName(name)[0]?.startTime;
    return [at("first-contentful-paint"), at("shown")];
}"""
MARK = "() => performance.getEntriesByName('first-slice')[0].startTime"
ARRIVED = """() => Math.max(...performance.getEntriesByType("resource")
    .filter(({ name }) => name.includes("/volumes/")).map(({ responseEnd }) => responseEnd))"""

# A step through the axial slices: all three planes are drawn, their crosshairs too; a pixel that is read back
# from each says that it was done.
STEP = """(count) => {
    const viewer = document.querySelector("case-viewer");
    const times = [];
    for (let step = 0; step < count; step++) {
        const at = [...viewer.state.at];
        at[2] = step % viewer.shape[2];
        const begun = performance.now();
        viewer.state = { ...viewer.state, at };
        viewer.paint();
        for (const plane of viewer.planes) plane.canvas.getContext("2d").getImageData(0, 0, 1, 1);
        times.push(performance.now() - begun);
    }
    return times;
}"""
# The peer: NiiVue draws the axial slice of the same scan and map, which are in memory already.
NIIVUE = """async (count) => {
    const viewer = document.querySelector("case-viewer");
    const { shape, spacing } = viewer.volumes;
    const begun = performance.now();
    const { Niivue, NVImage } = await import("/static/dist/niivue.js");
    const box = document.body.appendChild(document.createElement("div"));
    Object.assign(box.style, { width: "400px", height: "400px" });
    const canvas = box.appendChild(document.createElement("canvas"));
    const view = new Niivue({ sliceType: 0, logLevel: "silent", loadingText: "", isAntiAlias: false });
    await view.attachToCanvas(canvas, false);
    const affine = [spacing[0], 0, 0, 0, 0, spacing[1], 0, 0, 0, 0, spacing[2], 0, 0, 0, 0, 1];
    for (const [layer, colours] of [["scan", "gray"], ["map", "hot"]]) {
        const file = NVImage.createNiftiArray(shape, spacing, affine, 2, viewer.volumes[layer]);
        view.addVolume(await NVImage.new(file.buffer, `${layer}.nii`, colours, 0.7));
    }
    const done = () => view.gl.readPixels(0, 0, 1, 1, view.gl.RGBA, view.gl.UNSIGNED_BYTE, new Uint8Array(4));
    view.drawScene();
    done();
    const first = performance.now() - begun;
    const times = [];
    for (let step = 0; step < count; step++) {
        const start = performance.now();
        view.scene.crosshairPos = [0.5, 0.5, (step + 0.5) / count];
        view.drawScene();
        done();
        times.push(performance.now() - start);
    }
    return [first, times];
}"""


@dataclass(frozen=True)
class Visit:
    """Milliseconds from the navigation on, and KiB with headers."""

    first_paint_ms: float
    shown_ms: float
    kib: float


@dataclass(frozen=True)
class Peer:
    """What NiiVue takes: from the first byte of its bundle to its first slice, and for one more."""

    first_ms: float
    slice_ms: float


@contextmanager
def chromium_browser() -> Iterator[Browser]:
    """A browser without a window, as the tests have it.

    Raises:
        FileNotFoundError: there is none.
    """
    with sync_playwright() as playwright:
        path = chromium() or playwright.chromium.executable_path
        if not Path(path).exists():
            raise FileNotFoundError("no browser here; `make test` installs it, or: apt-get install chromium")
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


class Visitor:
    """Somebody who is signed in, or nobody; every cold visit has a fresh profile."""

    def __init__(self, browser: Browser, url: str, name: str | None) -> None:
        self.browser, self.url = browser, url
        self.signed_in: StorageState | None = None
        if name is not None:
            self.signed_in = self._sign_in(name)

    @property
    def cookie(self) -> str:
        """For requests without a browser."""
        cookies = self.signed_in["cookies"] if self.signed_in else []
        return "; ".join(f"{cookie['name']}={cookie['value']}" for cookie in cookies)

    def _sign_in(self, name: str) -> StorageState:
        context = self.browser.new_context(base_url=self.url)
        page = context.new_page()
        page.goto("/sign-in")
        page.get_by_label("Name or mail address").fill(name)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("link", name=name, exact=True).wait_for()
        state = context.storage_state()
        context.close()
        return state

    @contextmanager
    def profile(self) -> Iterator[BrowserContext]:
        """A browser that has been nowhere yet."""
        context = self.browser.new_context(
            base_url=self.url, storage_state=self.signed_in, viewport={"width": 1280, "height": 900}
        )
        try:
            yield context
        finally:
            context.close()

    def visit(self, path: str, selector: str, times: int, plain: bool = False) -> tuple[Visit, Visit]:
        """Medians of cold visits, and of a second visit each; `plain` lets no style nor script through."""
        cold, warm = [], []
        for _ in range(times):
            with self.profile() as context:
                if plain:
                    context.route("**/static/**", lambda route: route.abort())
                cold.append(_seen(context, path, selector))
                warm.append(_seen(context, path, selector))
        return _median(cold), _median(warm)

    def first_slices(self, path: str, times: int) -> tuple[float, float]:
        """Milliseconds until the viewer's first slice: medians of cold visits, and of a second visit each."""
        cold, warm = [], []
        for _ in range(times):
            with self.profile() as context:
                for found in (cold, warm):
                    page = _viewer(context, path)
                    found.append(page.evaluate(MARK))
                    page.close()
        return median(cold), median(warm)

    def slices(self, path: str, count: int) -> list[float]:
        """Milliseconds of steps through the slices."""
        with self.profile() as context:
            page = _viewer(context, path)
            page.evaluate(STEP, count)
            found: list[float] = page.evaluate(STEP, count)
            return found

    def niivue(self, path: str, count: int) -> Peer:
        """The peer on the same page: the volumes come as for us, then it starts."""
        with self.profile() as context:
            page = _viewer(context, path)
            arrived = page.evaluate(ARRIVED)
            first, steps = page.evaluate(NIIVUE, count)
            return Peer(arrived + first, median(steps))


def _viewer(context: BrowserContext, path: str) -> Page:
    page = context.new_page()
    page.goto(path)
    page.locator("case-viewer[ready]").wait_for(state="attached", timeout=60_000)
    return page


def _seen(context: BrowserContext, path: str, selector: str) -> Visit:
    page = context.new_page()
    sizes: list[float] = []
    line = context.new_cdp_session(page)
    line.send("Network.enable")
    line.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    page.add_init_script(f"({WATCH})({selector!r})")
    page.goto(path, wait_until="networkidle")
    paint, shown = _paints(page)
    page.close()
    return Visit(paint, shown, sum(sizes) / 1024)


def _paints(page: Page) -> tuple[float, float]:
    page.wait_for_load_state()
    found: list[Any] = page.evaluate(PAINTS)
    paint, shown = (float("nan") if at is None else float(at) for at in found)
    return paint, shown


def _median(visits: Sequence[Visit]) -> Visit:
    return Visit(
        median(visit.first_paint_ms for visit in visits),
        median(visit.shown_ms for visit in visits),
        median(visit.kib for visit in visits),
    )
