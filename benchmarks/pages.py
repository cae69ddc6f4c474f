"""How fast pages are: the server's part, the browser's part, and the viewer of a volume.

A platform with 50 ranked submissions of each of 8 teams, intervals stored, is served by a process of its own
on SQLite; Chromium visits it. Beside the board stands the same page without style and script; beside the
viewer NiiVue, which draws a slice of the same volume. The last line is one JSON object.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

# A script's own folder comes first on its path, and there this file has the name of a package of ours.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from backend.web import assets
from benchmarks.measure import machine
from benchmarks.page_server import Answers, Server, ask, serving
from benchmarks.page_visits import Peer, Visit, Visitor, chromium_browser
from benchmarks.page_world import CHALLENGE, ORGANIZER, PERSON, TASK, Filled, fill

BOARD = f"/challenges/{CHALLENGE}/leaderboard?task={TASK}"
GOALS = {"board_kib": 40, "board_server_ms": 100, "first_slice_ms": 800, "slice_ms": 2}
LIBRARIES = ("fastapi", "starlette", "uvicorn", "jinja2", "sqlalchemy", "playwright")

console = Console(width=140, highlight=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 where a goal is missed."""
    options = _options(arguments)
    if not assets.built():
        sys.exit("The pages' style and script are not built; type: sh setup/assets.sh")
    for line in machine(LIBRARIES):
        console.print(line)
    with tempfile.TemporaryDirectory(prefix="moodarena-benchmark-") as folder:
        began = time.monotonic()
        filled = fill(Path(folder, "platform"), options.teams, options.each, options.side)
        console.print(f"[bold]▸ A platform was filled in {time.monotonic() - began:.0f} s[/bold]")
        with serving(filled.folder) as server, chromium_browser() as browser:
            told = _measure(options, filled, server, Visitor(browser, server.url, PERSON))
    return _tell(told, {} if options.quick else GOALS)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="How fast pages are.")
    parser.add_argument("--requests", type=int, default=200, help="of each page, of the server alone")
    parser.add_argument("--visits", type=int, default=9, help="of each page by the browser, cold and warm")
    parser.add_argument("--teams", type=int, default=8, help="on the board")
    parser.add_argument("--each", type=int, default=50, help="ranked submissions of each team")
    parser.add_argument("--side", type=int, default=128, help="voxels of the toy case's side")
    parser.add_argument("--quick", action="store_true", help="few and small: shows that it runs")
    options = parser.parse_args(arguments)
    if options.quick:
        options.requests, options.visits, options.teams, options.each, options.side = 3, 1, 2, 2, 24
    return options


def pages(filled: Filled) -> dict[str, tuple[str, str]]:
    """Pages of somebody who takes part: name, address, and what one comes for."""
    at, mine = f"/challenges/{CHALLENGE}", f"/submissions/{filled.submission}"
    return {
        "board": (BOARD, "tr.entry"),
        "first page": ("/", "article.challenge"),
        "challenge": (at, "h1"),
        "submit": (f"{at}/submit", "h1"),
        "submissions": (f"{at}/submissions", "tbody tr"),
        "submission": (mine, ".steps li"),
        "compare two": (f"/submissions/compare?a={mine[13:]}&b={filled.other}", "tbody tr"),
        "toy case": (filled.case, "case-viewer[ready] canvas"),
    }


def _measure(
    options: argparse.Namespace, filled: Filled, server: Server, visitor: Visitor
) -> dict[str, float]:
    """Everything, as the last line has it."""
    ever, _ = visitor.first_slices(filled.case, 1)  # nobody has looked at this volume yet
    known = pages(filled)
    answers = {name: ask(server, path, visitor.cookie, options.requests) for name, (path, _) in known.items()}
    boss = Visitor(visitor.browser, visitor.url, ORGANIZER)
    answers["organizers' first page"] = ask(server, "/organize", boss.cookie, options.requests)
    visits = {name: visitor.visit(*page, options.visits) for name, page in known.items()}
    plain, _ = visitor.visit(*known["board"], options.visits, plain=True)
    console.print(_table(answers, visits, plain))
    cold, warm = visitor.first_slices(filled.case, options.visits)
    steps = visitor.slices(filled.case, options.side)
    peer = visitor.niivue(filled.case, options.side)
    _say_viewer(options.side, (ever, cold, warm), steps, peer)
    board, (cold_board, warm_board) = answers["board"], visits["board"]
    return {
        "board_kib": cold_board.kib,
        "board_server_ms": board.median_ms,
        "board_server_p95_ms": board.p95_ms,
        "board_server_cpu_ms": board.cpu_ms,
        "board_first_paint_ms": cold_board.first_paint_ms,
        "board_shown_ms": cold_board.shown_ms,
        "board_warm_shown_ms": warm_board.shown_ms,
        "plain_board_kib": plain.kib,
        "plain_board_shown_ms": plain.shown_ms,
        "first_slice_ms": cold,
        "first_slice_ever_ms": ever,
        "first_slice_warm_ms": warm,
        "slice_ms": median(steps),
        "niivue_first_slice_ms": peer.first_ms,
        "niivue_slice_ms": peer.slice_ms,
    }


def _table(answers: Mapping[str, Answers], visits: Mapping[str, tuple[Visit, Visit]], plain: Visit) -> Table:
    title = "Server: one request after the other, compressed. Chromium: from the click on; KiB with headers."
    table = Table("page", title=title, title_justify="left")
    server = ("server, ms", "p95, ms", "CPU, ms", "KiB")
    seen = ("cold: paint, ms", "shown, ms", "KiB", "warm: paint, ms", "shown, ms", "KiB")
    for heading in (*server, *seen):
        table.add_column(heading, justify="right")
    for name, one in answers.items():
        figures = [f"{one.median_ms:.1f}", f"{one.p95_ms:.1f}", f"{one.cpu_ms:.1f}", f"{one.kib:.1f}"]
        both = [cell for visit in visits.get(name, ()) for cell in _cells(visit)]
        table.add_row(name, *figures, *both)
    table.add_row("board without style and script", *[""] * 4, *_cells(plain))
    return table


def _cells(visit: Visit) -> list[str]:
    return [f"{visit.first_paint_ms:.0f}", f"{visit.shown_ms:.0f}", f"{visit.kib:.1f}"]


def _say_viewer(side: int, first: tuple[float, float, float], steps: Sequence[float], peer: Peer) -> None:
    ever, cold, warm = first
    console.print(
        f"First slice of {side}³: {cold:.0f} ms in a browser that was nowhere yet, {warm:.0f} ms at a second "
        f"visit, {ever:.0f} ms when nobody had looked at it before; NiiVue {peer.first_ms:.0f} ms"
    )
    console.print(
        f"A step with three planes drawn: {median(steps):.2f} ms, at most {max(steps):.2f} ms; "
        f"NiiVue {peer.slice_ms:.2f} ms with one"
    )


def _tell(told: Mapping[str, float], goals: Mapping[str, float]) -> int:
    missed = [
        f"{name} {told[name]:.3g} (at most {goal})" for name, goal in goals.items() if told[name] > goal
    ]
    console.print(f"Missed: {', '.join(missed)}" if missed else "Every goal is met" if goals else "")
    print(json.dumps({name: float(f"{value:.4g}") for name, value in told.items()}))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
