"""`python -m backend user …`"""

from typing import Annotated

import typer
from sqlalchemy.orm import Session

from backend.accounts import service
from backend.accounts.schemas import Account
from backend.audit import service as audit
from backend.commands import console
from backend.commands.console import By, Json, Reason
from backend.models.user import User

app = typer.Typer(no_args_is_help=True, help="Accounts.")

Name = Annotated[str, typer.Argument(help="Name or mail address.")]
FromStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]


@app.command()
def add(
    name: str,
    email: str,
    role: Annotated[str, typer.Option(help="participant or organizer")] = "participant",
    password_stdin: FromStdin = False,
    reason: Reason = "",
    by: By = "",
    as_json: Json = False,
) -> None:
    """Make an account."""
    password = console.read_password(password_stdin)
    with console.opened() as platform, platform.database.write() as session:
        user = service.sign_up(session, name, email, password, role)
        _record(session, by, "user.add", user, reason, role=role)
        console.show(_described(user), as_json, f"{user.name} now has the role {user.role}.")


@app.command("list")
def list_users(as_json: Json = False) -> None:
    """All accounts."""
    with console.opened() as platform, platform.database.read() as session:
        rows = [_described(user) for user in service.everybody(session)]
    console.show_rows(rows, as_json, ("name", "email", "role", "active"))


@app.command()
def password(
    name: Name,
    password_stdin: FromStdin = False,
    reason: Reason = "",
    by: By = "",
    as_json: Json = False,
) -> None:
    """Set a new password; sessions and API tokens of the account end."""
    secret = console.read_password(password_stdin)
    with console.opened() as platform, platform.database.write() as session:
        user = service.by_name(session, name)
        service.set_password(session, user, secret)
        _record(session, by, "user.password", user, reason)
        console.show(_described(user), as_json, f"{user.name} has a new password and has to sign in again.")


@app.command()
def role(
    name: Name,
    new_role: Annotated[str, typer.Argument(metavar="ROLE")],
    reason: Reason = "",
    by: By = "",
    as_json: Json = False,
) -> None:
    """Make somebody a participant or an organizer."""
    with console.opened() as platform, platform.database.write() as session:
        user = service.by_name(session, name)
        before = user.role
        service.set_role(session, user, new_role)
        _record(session, by, "user.role", user, reason, before=before, after=new_role)
        _tell(session, user, as_json, f"{user.name} now has the role {new_role}.")


@app.command()
def deactivate(name: Name, reason: Reason = "", by: By = "", as_json: Json = False) -> None:
    """Close an account: its sessions and tokens end, its results stay."""
    _set_active(name, False, reason, by, as_json)


@app.command()
def activate(name: Name, reason: Reason = "", by: By = "", as_json: Json = False) -> None:
    """Open a closed account again."""
    _set_active(name, True, reason, by, as_json)


def _set_active(name: str, active: bool, reason: str, by: str, as_json: bool) -> None:
    with console.opened() as platform, platform.database.write() as session:
        user = service.by_name(session, name)
        service.set_active(session, user, active)
        _record(session, by, "user.activate" if active else "user.deactivate", user, reason)
        _tell(session, user, as_json, f"{user.name} may {'' if active else 'no longer '}sign in.")


def _tell(session: Session, user: User, as_json: bool, sentence: str) -> None:
    session.refresh(user)
    console.show(_described(user), as_json, sentence)


def _record(session: Session, by: str, action: str, user: User, reason: str, **details: str) -> None:
    audit.record(session, console.operator(by), action, None, user.name, reason, **details)


def _described(user: User) -> dict[str, object]:
    return Account.of(user).model_dump() | {"active": user.active}
