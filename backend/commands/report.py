"""`python -m backend report CHALLENGE`: what is known of a challenge's results, for publication."""

from pathlib import Path
from typing import Annotated

import typer

from backend.challenges import service as challenges
from backend.commands import console
from backend.commands.console import Json
from backend.results.study import study_of
from submissions.reporting import write


def report(
    challenge: str,
    out: Annotated[Path, typer.Option(file_okay=False, help="Folder for report.html and report.json.")],
    scoring: Annotated[
        int | None, typer.Option(help="Number of a scoring version; the public board's if not given.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Results, ranking and how sure it is, as one page and as data; from stored statistics, no container."""
    with console.opened() as platform, platform.database.read() as session:
        study = study_of(session, challenges.get(session, challenge), scoring)
        html, data = write(study, out)
    result = {"challenge": challenge, "scoring": study.scoring_version, "html": str(html), "json": str(data)}
    console.show(result, as_json, f"{html} for people, {data} for programs.")
