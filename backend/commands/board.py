"""`python -m backend board …`: the reveal of a challenge."""

from typing import Annotated

import typer

from backend.challenges import service as challenges
from backend.commands import console
from backend.commands.console import Json
from backend.results import reveal
from backend.results.schemas import RevealView

app = typer.Typer(no_args_is_help=True, help="The board of a challenge: freeze it, publish it, and back.")

Reason = Annotated[str, typer.Option(help="Why; it is kept in the audit log.")]


@app.command()
def status(challenge: str, as_json: Json = False) -> None:
    """Where the reveal stands, and what to look at before."""
    with console.opened() as platform, platform.database.read() as session:
        view = reveal.reveal_view(session, challenges.get(session, challenge))
    _show(view, as_json)


@app.command()
def freeze(challenge: str, reason: Reason, as_json: Json = False) -> None:
    """Let what is ranked later not count."""
    _carry_out(challenge, "freeze", reason, as_json)


@app.command()
def publish(challenge: str, reason: Reason, as_json: Json = False) -> None:
    """Show the frozen board to everybody, whatever date the rules name."""
    _carry_out(challenge, "publish", reason, as_json)


@app.command()
def unpublish(challenge: str, reason: Reason, as_json: Json = False) -> None:
    """Undo the publication; the board stays frozen."""
    _carry_out(challenge, "unpublish", reason, as_json)


@app.command()
def unfreeze(challenge: str, reason: Reason, as_json: Json = False) -> None:
    """Let the board follow again what is ranked."""
    _carry_out(challenge, "unfreeze", reason, as_json)


def _carry_out(challenge: str, deed: reveal.Deed, reason: str, as_json: bool) -> None:
    with console.opened() as platform, platform.database.write() as session:
        done = reveal.carry_out(session, challenge, deed, console.operator(), reason)
        view = reveal.reveal_view(session, done)
    _show(view, as_json)


def _show(view: RevealView, as_json: bool) -> None:
    counts = ", ".join(f"{count} in {task}" for task, count in view.entries.items())
    checks = [f"{'✓' if check.ok else '!'} {check.text}" for check in view.checks]
    seen = "everybody sees it" if view.public else "only organizers see it"
    first = f"The board of {view.challenge} is {view.state}, {seen}: {counts}."
    console.show(view.model_dump(), as_json, first, *checks)
