"""What operators see: tables and sentences, or JSON on standard output; messages go to standard error."""

import json
import os
import pwd
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column, Table

from backend.config import Settings
from backend.errors import MoodarenaError
from backend.migrate import current_revision, newest_revision
from backend.models.user import User
from backend.platform import Platform

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]
By = Annotated[str, typer.Option("--by", help="Whose decision it was; you, if not given.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; written into the audit log.")]
Counting = Callable[[str, int, int], None]


class CannotRun(MoodarenaError):
    """The command cannot do its work here; the message says what to do first."""


def operator(by: str = "") -> User:
    """Whoever may type commands on this machine may see and do everything; `by` is their name in the log."""
    name = by.strip() or f"operator {_who()}"
    return User(id="operator", name=name, email="", password_hash="", role="organizer", active=True)


def _who() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # in a container the number may have no name
        return str(os.getuid())


@contextmanager
def opened() -> Iterator[Platform]:
    """The platform that the environment names.

    Raises:
        CannotRun: its database is not set up for this version.
    """
    platform = Platform.open(Settings())
    try:
        if current_revision(platform.database) != newest_revision():
            raise CannotRun(
                "not_initialised", "The database is not set up. Run `python -m backend init` first."
            )
        yield platform
    finally:
        platform.close()


def show(data: Any, as_json: bool, *lines: str) -> None:
    """A result: `data` as JSON, or the lines for people."""
    if as_json:
        sys.stdout.write(json.dumps(data, indent=2, default=str) + "\n")
    else:
        for line in lines:
            Console(highlight=False, soft_wrap=True).print(escape(line))


def show_rows(rows: Sequence[Mapping[str, Any]], as_json: bool, columns: Sequence[str]) -> None:
    """A list: all of it as JSON, or some columns as a table."""
    if as_json:
        show(rows, True)
        return
    table = Table(*(Column(column, no_wrap=column == "id") for column in columns))
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    Console(highlight=False).print(table)


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return escape(", ".join(map(str, value)))
    if isinstance(value, dict):
        return escape(", ".join(f"{name} {item}" for name, item in value.items()))
    return "" if value is None else escape(str(value))


def moment(seconds: float | None) -> str:
    """A time for people, UTC."""
    return "" if seconds is None else f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}"


def say(sentence: str) -> None:
    """Something to know beforehand, on standard error."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(escape(sentence))


@contextmanager
def counting(what: str) -> Iterator[Counting]:
    """A progress bar for each name that is reported, on standard error."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bars: dict[str, Any] = {}

        def report(name: str, done: int, total: int) -> None:
            if name not in bars:
                bars[name] = progress.add_task(f"{what} {name}", total=total)
            progress.update(bars[name], completed=done)

        yield report


def fail(code: str, message: str) -> NoReturn:
    """End with a message: as JSON on standard output where that was asked for, else on standard error."""
    if "--json" in sys.argv:
        sys.stdout.write(json.dumps({"error": {"code": code, "message": message}}) + "\n")
    else:
        Console(stderr=True, highlight=False, soft_wrap=True).print(escape(message), style="red")
    raise SystemExit(1)


def read_password(from_stdin: bool) -> str:
    """A password, never from the command line, where others could read it."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
