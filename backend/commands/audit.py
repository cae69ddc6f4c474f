"""`python -m backend dataset audit`"""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from backend.commands import console
from backend.commands.console import Json
from backend.config import Settings
from backend.errors import BadInput
from datasets import manifest
from datasets.leaks import report
from datasets.leaks.audit import ALPHA, AuditError, audit
from datasets.leaks.permutation import ROUNDS
from datasets.manifest import ManifestError
from datasets.volume import VolumeError

Built = Annotated[Path, typer.Argument(exists=True, file_okay=False, help="What `dataset build` made.")]


def audit_dataset(
    folder: Built,
    secret_file: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="The secret seed, if not that of the data folder."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(file_okay=False, help="Folder for the report; DIR/audit if not given.")
    ] = None,
    alpha: Annotated[float, typer.Option(min=0, max=1, help="Chance of an alarm without a leak.")] = ALPHA,
    rounds: Annotated[int, typer.Option(min=1000, help="Permutations a test.")] = ROUNDS,
    seed: Annotated[int, typer.Option(help="Of the permutations.")] = 0,
    as_json: Json = False,
) -> None:
    """Try what could tell hidden cases apart but the anomaly; ends with 1 on a leak."""
    try:
        with console.counting("reading") as progress:
            found = audit(
                folder, secret_of(secret_file, folder), np.random.default_rng(seed), alpha, rounds, progress
            )
    except (AuditError, ManifestError, VolumeError, OSError, ValueError) as error:
        raise BadInput("dataset_not_audited", str(error)) from error
    written = report.write(found, out or folder / "audit")
    told = [one for one in found.findings if one.verdict != "ok"]
    lines = [f"{one.verdict}: {one.dataset}, {one.name}: {one.sentence}" for one in told]
    verdict = f"{len(found.leaks)} leaks" if found.leaks else "no leak"
    console.show(found.as_json(), as_json, *lines, f"{verdict}; the report is {written[-1]}")
    if found.leaks:
        raise typer.Exit(1)


def secret_of(file: Path | None, folder: Path) -> bytes | None:
    """The secret that the set was built from, as far as this machine knows."""
    if file is not None:
        return file.read_bytes().strip()
    challenges = {manifest.read(path).challenge for path in sorted(folder.glob("*/manifest.json"))}
    kept = [path for name in challenges if (path := Settings().data / "secrets" / name).is_file()]
    return kept[0].read_bytes().strip() if len(kept) == 1 else None
