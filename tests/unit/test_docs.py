"""What the documentation names is there, and what has to be said is said."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command

from backend.cli import app as operators
from backend.config import Settings
from submissions.cli import app as participants
from submissions.contract import Code, general_message
from submissions.remedies import remedy

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
PROGRAMS = {"moodarena": participants, "python -m backend": operators}
SCRIPTS = [*(ROOT / "setup").iterdir(), ROOT / "docker-compose.yml", ROOT / ".env.example"]

_LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")
_FENCE = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_PATH = re.compile(r"(?:[a-z_.]+/)+(?:[\w.-]+)?")
_SETTING = re.compile(r"\bMOODARENA_[A-Z_]*[A-Z]")

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def anchors(page: Path) -> set[str]:
    """The names under which a page's headings can be linked to."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pages
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in _LINK.findall(page.read_text(encoding="utf-8")):
        path, _, anchor = link.partition("#")
        if path.startswith(("https://", "http://")):
            continue
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        assert not anchor or anchor in anchors(target), link


@pages
def test_every_folder_and_file_of_ours_that_is_named_is_there(page: Path) -> None:
    rooms = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")}
    for code in _CODE.findall(page.read_text(encoding="utf-8")):
        if _PATH.fullmatch(code) and code.split("/")[0] in rooms:
            assert (ROOT / code).exists(), code


def commands(page: Path) -> Iterator[tuple[str, list[str]]]:
    """Our commands that a page shows, as (program, words)."""
    text = page.read_text(encoding="utf-8")
    lines = [line.strip() for block in _FENCE.findall(text) for line in block.splitlines()]
    for code in [*lines, *_CODE.findall(text)]:
        for program in PROGRAMS:
            if code.startswith(f"{program} "):
                yield program, shlex.split(code.removeprefix(program), comments=True)


@pages
def test_every_command_that_is_shown_exists(page: Path) -> None:
    for program, words in commands(page):
        command = get_command(PROGRAMS[program])
        while known := getattr(command, "commands", None):
            if not words or not words[0].islower():  # a placeholder such as COMMAND, or a group as a whole
                break
            assert words[0] in known, f"{program} {words[0]}"
            command, words = known[words[0]], words[1:]


@pages
def test_every_make_target_that_is_shown_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = page.read_text(encoding="utf-8")
    shown = [*_CODE.findall(text), *(line for block in _FENCE.findall(text) for line in block.splitlines())]
    for code in shown:
        if found := re.match(r"(?:[A-Z_]+=\S+ )?make ([a-z-]+)", code):
            assert found[1] in targets, code


@pages
def test_every_setting_that_is_named_is_read_by_something(page: Path) -> None:
    known = {f"MOODARENA_{field.upper()}" for field in Settings.model_fields}
    for script in SCRIPTS:
        known |= set(_SETTING.findall(script.read_text(encoding="utf-8"))) if script.is_file() else set()
    for room in ("submissions", "worker"):
        for source in (ROOT / room).glob("*.py"):
            known |= set(_SETTING.findall(source.read_text(encoding="utf-8")))
    assert set(_SETTING.findall(page.read_text(encoding="utf-8"))) <= known


def test_every_setting_is_documented() -> None:
    said = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    for field in Settings.model_fields:
        assert f"`MOODARENA_{field.upper()}`" in said, field


def test_participants_are_told_every_code_its_sentence_and_its_remedy() -> None:
    text = (ROOT / "docs" / "participants.md").read_text(encoding="utf-8")
    for code in Code:
        helps = remedy(code)
        command = f" `{helps.command}`" if helps.command else ""
        row = [f"`{code}`", general_message(code), f"{helps.change}{command}"]
        told = " | ".join(cell.replace("|", "\\|") for cell in row)
        assert f"| {told} |" in text, f"the row of {code} in docs/participants.md is not up to date"


def test_the_architecture_names_every_room() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rooms = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}
    assert {room for room in rooms if f"`{room}/`" not in text} == set()


def test_decisions_are_numbered_without_gaps_and_fit_on_a_page() -> None:
    records = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [record.name[:4] for record in records] == [
        f"{number:04}" for number in range(1, len(records) + 1)
    ]
    for record in records:
        text = record.read_text(encoding="utf-8")
        assert text.startswith(f"# {int(record.name[:4])}. ")
        assert {"## Context", "## Decision", "## Consequences"} <= set(text.splitlines())
        assert len(text.splitlines()) <= 60, f"{record.name} is longer than a page"
