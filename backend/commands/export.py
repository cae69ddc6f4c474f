"""`python -m backend export`"""

from pathlib import Path
from typing import Annotated

import typer

from backend.commands import console
from backend.commands.console import Json
from backend.results import crate


def export(
    challenge: str,
    out: Annotated[Path, typer.Option(dir_okay=False, writable=True, help="The ZIP to write.")],
    reason: Annotated[str, typer.Option(help="What for; it is kept in the audit log.")] = "",
    as_json: Json = False,
) -> None:
    """All results of a challenge with their provenance: a ZIP that is an RO-Crate."""
    with console.opened() as platform:
        made = crate.export(platform.database, challenge, console.operator(), reason)
    out.write_bytes(made.content)
    told = {"file": str(out), "sha256": made.sha256, "size": len(made.content)}
    console.show(told, as_json, f"{out}: {len(made.content)} bytes, SHA-256 {made.sha256}.")
