"""The guides name only what exists, and leave nothing out that a reader has to know."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer import Typer
from typer.main import get_command

from backend.cli import app as operators
from backend.config import Settings
from challenges.spec import Limits
from submissions.cli import app as participants
from submissions.console import Exit
from submissions.contract import Outcome

DOCS = Path(__file__).parents[3] / "docs"
PROGRAMS = {"moodarena": participants, "python -m backend": operators}


def text_of(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def commands(name: str) -> Iterator[tuple[str, str]]:
    """Every command of a guide, as (program, words), from code blocks and from inline code."""
    text = text_of(name)
    lines = [line.strip() for line in text.splitlines() if line.startswith("    ")]
    lines += re.findall(r"`([^`]+)`", re.sub(r"\s+", " ", text))
    for line in lines:
        for program in PROGRAMS:
            if line.startswith(f"{program} "):
                yield program, line.removeprefix(program).partition(" #")[0].partition("…")[0]


def resolved(program: Typer, words: list[str]) -> tuple[Any, list[str]]:
    command: Any = get_command(program)
    while getattr(command, "commands", None):
        if not words or words[0] not in command.commands:
            return command, words
        command, words = command.commands[words[0]], words[1:]
    return command, words


@pytest.mark.parametrize("name", ["participants.md", "organizers.md"])
def test_every_command_of_a_guide_exists_with_its_options(name: str) -> None:
    found = list(commands(name))
    assert len(found) > 15
    for program, line in found:
        command, rest = resolved(PROGRAMS[program], shlex.split(line))
        placeholder = bool(rest) and rest[0].isupper()
        assert placeholder or not getattr(command, "commands", None), f"{program}{line}"
        known = {
            option for parameter in command.params for option in [*parameter.opts, *parameter.secondary_opts]
        } | {"--help"}
        used = {word for word in rest if word.startswith("--")}
        assert used <= known, f"{program}{line}"


@pytest.mark.parametrize(
    ("program", "name"), [("moodarena", "participants.md"), ("python -m backend", "organizers.md")]
)
def test_every_command_is_in_its_guide(program: str, name: str) -> None:
    text = re.sub(r"\s+", " ", text_of(name))
    for top, command in get_command(PROGRAMS[program]).commands.items():
        names = [f"{top} {inner}" for inner in getattr(command, "commands", {})] or [top]
        unsaid = [known for known in names if f"{program} {known}" not in text]
        assert not unsaid


def test_participants_are_told_every_outcome_limit_and_exit_code() -> None:
    text = text_of("participants.md")
    for name in [*Outcome, *Limits.model_fields]:
        assert f"`{name}`" in text, name
    for status in Exit:
        assert f"| {int(status)} |" in text, status


def test_organizers_are_told_every_setting() -> None:
    text = text_of("organizers.md")
    for field in Settings.model_fields:
        assert f"`MOODARENA_{field.upper()}`" in text, field
