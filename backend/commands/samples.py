"""`python -m backend challenge sample`"""

from pathlib import Path
from typing import Annotated

import typer

from backend.commands import console
from backend.commands.console import Json
from backend.intake import samples
from backend.intake.schemas import SampleView


def set_sample(
    name: Annotated[str, typer.Argument(help="The challenge's name.")],
    archive: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="What `docker save` wrote.")],
    title: Annotated[str, typer.Option(help="What participants read.")] = "Working sample",
    as_json: Json = False,
) -> None:
    """Give participants an image that works, which they hand in with one click."""
    with console.opened() as platform, platform.database.write() as session:
        found = samples.register(session, platform.storage, name, archive, title, console.operator())
        view = SampleView.of(found)
    console.show(view.model_dump(), as_json, f"{view.title} is the working sample of {name}.")
