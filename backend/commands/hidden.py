"""What making hidden cases takes beside the challenge file: its secret, and the organizer's own kinds."""

import os
import secrets
from pathlib import Path
from typing import Annotated

import typer

from backend.commands.console import CannotRun
from backend.config import Settings
from challenges.spec import Challenge

SecretFile = Annotated[
    Path | None, typer.Option(help="The secret seed; drawn and kept in the data folder if not given.")
]
AnomalyPath = Annotated[
    Path | None, typer.Option(help="A folder of kinds of your own; otherwise the one that FILE names.")
]


def private_kinds(file: Path, challenge: Challenge) -> Path | None:
    """The folder of kinds that the challenge file names, relative to it."""
    return file.parent / challenge.anomaly_path if challenge.anomaly_path else None


def secret_for(file: Path | None, challenge: str) -> bytes:
    """The secret in `file`; without one that of the data folder, drawn if there is none.

    Raises:
        CannotRun: the file isn't there.
    """
    path = file or Settings().data / "secrets" / challenge
    if file is None and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
            stream.write(secrets.token_hex(32))
    if not path.is_file():
        raise CannotRun("no_secret", f"There is no secret in {path}. Name another file, or none to draw one.")
    return path.read_bytes().strip()
