"""`python -m backend challenge set`"""

from typing import Annotated

import typer

from backend.challenges import settings
from backend.commands import console
from backend.commands.console import Json


def change_setting(
    name: str,
    setting: Annotated[str, typer.Argument(help="Such as dates.closes.")],
    reason: Annotated[str, typer.Option(help="Why; it is kept in the audit log.")],
    value: Annotated[str, typer.Argument(help="The new value; an empty date is no bound.")] = "",
    as_in_yaml: Annotated[bool, typer.Option("--as-in-yaml", help="Back to what the YAML says.")] = False,
    as_json: Json = False,
) -> None:
    """Change a setting that the challenge's YAML lets organizers change."""
    values = {} if as_in_yaml else {setting: settings.read(setting, value)}
    reset = [setting] if as_in_yaml else []
    with console.opened() as platform, platform.database.write() as session:
        changes = settings.change(session, name, console.operator(), values, reset, reason)
    told = [f"{one.name}: {one.before} before, {one.after} now." for one in changes]
    console.show([vars(one) for one in changes], as_json, *(told or ["That is so already."]))
