"""`make screenshots`: every page as Chromium draws it, light and dark, wide and on a phone.

Fills a platform of its own (setup/screenshot_world.py) and follows the links of a visitor, a participant and
an organizer: of each kind of page the first that they come upon is taken. Pictures lie in .screenshots, with
an index.html that shows them all.
"""

import argparse
import html
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

from playwright.sync_api import Browser, Page
from rich.console import Console

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.page_server import serving
from benchmarks.page_visits import Visitor, chromium_browser
from setup.screenshot_world import ORGANIZER, PERSON, Taken, fill

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / ".screenshots"
SCANS = ROOT / ".cache/screenshot_scans"
WIDTHS, SCHEMES = (1280, 390), ("light", "dark")
MOST = 90
# What only changes the order or the part of a page, or leads to no page.
SAME = {"sort", "order", "as_of", "after", "slice", "axis", "at", "next"}
NO_PAGE = re.compile(r"^/(api|static)/|\.(csv|json|zip|tar)$|/export/")
ONE_OF_MANY = re.compile(r"[0-9a-f]{24}|[\w-]+\.nii\.gz(?=$|/)|(?<=/cases/)\w+/\w+/\w+|(?<=/toy/)\w+/\w+")

LINKS = '(all) => all.map((a) => new URL(a.getAttribute("href"), location.href).href)'

# Pictures further down are not loaded until somebody scrolls there.
PICTURES = """() => Promise.all([...document.images].map((image) => {
    image.loading = "eager";
    return image.decode().catch(() => {});
}))"""

console = Console(highlight=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """Take all pictures; 1 if a page was not as it should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT, help="folder of the pictures, emptied first")
    parser.add_argument("--only", default="", help="expression of the addresses that are taken")
    options = parser.parse_args(arguments)
    shutil.rmtree(options.out, ignore_errors=True)
    options.out.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="moodarena-screenshots-") as folder:
        taken = fill(Path(folder, "platform"), SCANS)
        with serving(Path(folder, "platform")) as server, chromium_browser() as browser:
            shots, faults = _take(browser, server.url, taken, options.out, options.only)
    (options.out / "index.html").write_text(_index(shots))
    console.print(f"{len(shots)} pages: {options.out / 'index.html'}")
    for fault in faults:
        console.print(f"[red]{fault}[/red]")
    return 1 if faults else 0


def _take(
    browser: Browser, url: str, taken: Taken, out: Path, only: str
) -> tuple[list[tuple[str, str]], list[str]]:
    """(name, address) of each page, and what was wrong with some."""
    shots: list[tuple[str, str]] = []
    faults: list[str] = []
    for who, starts in _starts(taken).items():
        visitor = Visitor(browser, url, who)
        with visitor.profile() as context:
            page = context.new_page()
            page.on("pageerror", lambda error: faults.append(str(error)))
            for path, status in _walk(page, starts):
                if status >= 500:
                    faults.append(f"{path} was answered with {status}")
                if re.search(only, path):
                    name = (
                        f"{len(shots):03}-{who or 'visitor'}-{re.sub(r'[^a-z0-9]+', '-', kind(path).lower())}"
                    )
                    name = name.strip("-")[:80]
                    _picture(page, out, name)
                    shots.append((name, path))
    return shots, faults


def _starts(taken: Taken) -> dict[str | None, list[str]]:
    """Where each begins; pages that no link leads to come first."""
    of = [f"/submissions/{one}" for one in (taken.ranked, taken.failed, taken.running)]
    compared = f"/submissions/compare?a={taken.before}&b={taken.ranked}"
    return {
        None: ["/", "/nothing-here", "/sign-in", "/sign-up"],
        PERSON: ["/", *of, compared, f"/submissions/compare?a={taken.ranked}", "/organize", "/account"],
        "grace": ["/", "/challenges/demo/team", "/challenges/demo/submissions", "/challenges/demo/submit"],
        ORGANIZER: ["/organize", *of[:2], "/challenges/demo/leaderboard?task=pixel"],
    }


def _walk(page: Page, starts: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Each page that is reached, while it is open, and its status."""
    ahead, seen = list(starts), {kind(path) for path in starts}
    for path in ahead:  # grows on the way
        answer = page.goto(path, timeout=90_000)
        for viewer in page.locator("case-viewer").all():
            viewer.and_(page.locator("[ready]")).wait_for(state="attached", timeout=90_000)
        for link in page.eval_on_selector_all("main a[href], nav a[href]", LINKS):
            found = _local(link, page.url)
            if found and kind(found) not in seen and len(ahead) < MOST:
                seen.add(kind(found))
                ahead.append(found)
        yield path, answer.status if answer else 0


def _local(link: str, here: str) -> str | None:
    parts, at = urlsplit(link), urlsplit(here)
    if (parts.scheme, parts.netloc) != (at.scheme, at.netloc) or NO_PAGE.search(parts.path):
        return None
    return parts.path + (f"?{parts.query}" if parts.query else "")


def kind(path: str) -> str:
    """What pages have in common that differ in what they are about only."""
    parts = urlsplit(path)
    asked = sorted({name for name, _ in parse_qsl(parts.query)} - SAME - {"task", "challenge"})
    return ONE_OF_MANY.sub("*", parts.path) + (f"?{urlencode({name: '' for name in asked})}" if asked else "")


def _picture(page: Page, out: Path, name: str) -> None:
    page.evaluate(PICTURES)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            page.screenshot(path=out / f"{name}-{width}-{scheme}.png", full_page=True)
    page.set_viewport_size({"width": WIDTHS[0], "height": 900})


def _index(shots: Sequence[tuple[str, str]]) -> str:
    """One page that shows all pictures."""
    rows = "\n".join(
        f"<h2>{html.escape(path)}</h2><p>{name}</p><div>"
        + "".join(
            f'<a href="{name}-{width}-{scheme}.png"><img loading="lazy" src="{name}-{width}-{scheme}.png" '
            f'alt="{scheme}, {width}" width="{width // 2}"></a>'
            for width in WIDTHS
            for scheme in SCHEMES
        )
        + "</div>"
        for name, path in shots
    )
    style = "body{font:1rem sans-serif}div{display:flex;gap:1rem;align-items:start;overflow-x:auto}"
    head = f'<meta charset="utf-8"><title>Every page</title><style>{style}</style>'
    return f'<!doctype html><html lang="en">{head}{rows}'


if __name__ == "__main__":
    sys.exit(main())
