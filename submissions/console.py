"""What `moodarena` shows: messages for people on standard error, results on standard output.

With `--json` standard output holds JSON only: one document, or one a line where something is watched.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum
from typing import Any, Literal

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table

_WIDTH_OF_FILES = 200


class Exit(IntEnum):
    """How `moodarena` ends."""

    FINE = 0
    NOT_FINE = 1
    """The image, the check or the submission failed."""
    USAGE = 2
    REFUSED = 3
    """The platform said no."""
    NO_CONNECTION = 4
    NOT_HERE = 5
    """Something on this machine is missing: a login, an engine, a file, room."""


class Stop(Exception):
    """End with a message and a code; `code` is the stable name for programs."""

    def __init__(self, status: Exit, code: str, message: str, **facts: Any) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.facts = status, code, message, facts


def _remember(context: typer.Context, value: bool) -> bool:
    if value:
        context.find_root().ensure_object(dict)["json"] = True
    return value


JSON_OPTION = typer.Option(
    "--json", help="Print the result as JSON on standard output.", callback=_remember, is_eager=True
)


def wants_json(context: typer.Context) -> bool:
    """Whether `--json` was given anywhere on the command line."""
    return bool(context.find_root().ensure_object(dict).get("json"))


def messages() -> Console:
    """Standard error, as it is now."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def say(text: str, style: str = "") -> None:
    """One message for people."""
    messages().print(escape(text), style=style or None)


def once() -> Callable[[str], None]:
    """Says the first thing that it is told, and nothing after."""
    said = False

    def announce(text: str) -> None:
        nonlocal said
        if not said:
            say(text, "yellow")
        said = True

    return announce


def show(*parts: Any) -> None:
    """A result for people: tables and text on standard output."""
    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = _WIDTH_OF_FILES
    for part in parts:
        console.print(escape(part) if isinstance(part, str) else part)


def emit(result: Any) -> None:
    """A result for programs: one line of JSON on standard output."""
    typer.echo(json.dumps(_plain(result), ensure_ascii=False))


def report(stop: Stop, as_json: bool) -> None:
    """Say why it ended: the message with its code, and the same as JSON where programs listen."""
    messages().print(f"[bold red]Error:[/] {escape(stop.message)} [dim]({escape(stop.code)})[/]")
    if as_json:
        emit({"error": {"code": stop.code, "message": stop.message, "facts": stop.facts}})


def table(*columns: str, title: str | None = None) -> Table:
    """A table without decoration; a column whose name begins with `>` is aligned to the right."""
    made = Table(box=None, title=title, title_justify="left", pad_edge=False)
    for number, column in enumerate(columns):
        side: Literal["left", "right"] = "right" if column.startswith(">") else "left"
        # The first column is what one types again, so it is never cut.
        made.add_column(column.removeprefix(">"), justify=side, no_wrap=number == 0)
    return made


def add(made: Table, *cells: object) -> None:
    """A row; None is shown as a dash, and nothing is read as markup."""
    made.add_row(*(escape("–" if cell is None or cell == "" else str(cell)) for cell in cells))


@contextmanager
def bar(doing: str, total: int) -> Iterator[Callable[[int], None]]:
    """A progress bar on standard error for `total` bytes; yields what is told how many more are done."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    console = messages()
    if not console.is_terminal:
        console.print(escape(doing))
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(escape(doing), total=total)
        yield lambda count: progress.update(task, advance=count)


@contextmanager
def working(doing: str) -> Iterator[None]:
    """Something that takes a while and cannot say how far it is."""
    console = messages()
    if not console.is_terminal:
        console.print(escape(doing))
        yield
        return
    with console.status(escape(doing)):
        yield


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return value
