"""A real browser against a real server. Both are started here, both are ended here."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from backend.main import create_app
from backend.web.assets import built
from tests.unit.backend.conftest import cheap_hashes
from tests.unit.backend.world import World

__all__ = ["cheap_hashes"]  # for every test here too

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass
class Site:
    """A running server, and the platform behind it."""

    url: str
    world: World


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    assert built(), "no build for the pages; `make test` makes it, or: sh setup/assets.sh test"
    with World.open(tmp_path / "platform") as world:
        app = create_app(world.platform)
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", timeout_graceful_shutdown=2))
        thread = threading.Thread(target=server.run)
        thread.start()
        while not server.started:
            assert thread.is_alive(), "the server did not start"
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Site(f"http://127.0.0.1:{port}", world)
        server.should_exit = True
        thread.join()


# Not for the session: while Playwright is there, other tests of the process have an event loop that runs.
@pytest.fixture(scope="module")
def browser(browser_path: str | None) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        path = browser_path or playwright.chromium.executable_path
        assert Path(path).exists(), "no browser here; `make test` installs it, or: apt-get install chromium"
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@dataclass
class Tab:
    """A page of a fresh profile that notes every complaint of the browser."""

    page: Page
    context: BrowserContext
    complaints: list[str] = field(default_factory=list)


@pytest.fixture
def tab(browser: Browser, site: Site) -> Iterator[Tab]:
    yield from opened_tab(browser, site, javascript=True)


@pytest.fixture
def plain_tab(browser: Browser, site: Site) -> Iterator[Tab]:
    """A tab without JavaScript."""
    yield from opened_tab(browser, site, javascript=False)


def opened_tab(browser: Browser, site: Site, javascript: bool) -> Iterator[Tab]:
    """A tab of a fresh profile; at the end nothing may have been complained of."""
    context = browser.new_context(
        base_url=site.url, java_script_enabled=javascript, viewport={"width": 1200, "height": 900}
    )
    tab = Tab(context.new_page(), context)
    tab.page.set_default_timeout(20_000)
    tab.page.on(
        "console", lambda message: tab.complaints.append(message.text) if message.type == "error" else None
    )
    tab.page.on("pageerror", lambda error: tab.complaints.append(str(error)))
    yield tab
    context.close()
    assert tab.complaints == [], "the browser complained, for example about the content security policy"
