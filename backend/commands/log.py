"""`python -m backend audit-log`: who changed what, when and why."""

from typing import Annotated

import typer

from backend.audit import log
from backend.audit.log import LogWish
from backend.audit.schemas import AuditView
from backend.commands import console
from backend.commands.console import Json


def audit_log(
    challenge: Annotated[str, typer.Option(help="Of this challenge only.")] = "",
    actor: Annotated[str, typer.Option(help="What one person did.")] = "",
    action: Annotated[str, typer.Option(help="Such as submission.rerun, or its beginning.")] = "",
    subject: Annotated[str, typer.Option(help="On one submission, team …, by its id.")] = "",
    page: Annotated[int, typer.Option(min=1)] = 1,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    as_json: Json = False,
) -> None:
    """What organizers and operators did, newest first; nobody can change it."""
    wish = LogWish(challenge, actor, action, subject, page, limit)
    with console.opened() as platform, platform.database.read() as session:
        sheet = log.entries(session, wish)
    lines = [_line(entry) for entry in sheet.items] or ["No entry fits."]
    console.show(sheet.model_dump(), as_json, *lines)


def _line(entry: AuditView) -> str:
    about = "/".join(filter(None, (entry.challenge, entry.subject)))
    return f"{console.moment(entry.at)}  {entry.actor}  {entry.action}  {about}  {entry.reason}".rstrip()
