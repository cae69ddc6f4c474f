"""`python -m backend teams …`"""

import typer

from backend.accounts import teams
from backend.accounts.schemas import TeamView
from backend.commands import console
from backend.commands.console import By, Json, Reason

app = typer.Typer(no_args_is_help=True, help="Teams.")


@app.command("list")
def list_teams(challenge: str, as_json: Json = False) -> None:
    """All teams of a challenge."""
    with console.opened() as platform, platform.database.read() as session:
        views = [TeamView.of(team).model_dump() for team in teams.teams_of(session, challenge)]
    rows = [view | {"members": [member["name"] for member in view["members"]]} for view in views]
    console.show_rows(rows, as_json, ("id", "name", "approved", "baseline", "members"))


@app.command()
def approve(challenge: str, team: str, reason: Reason = "", by: By = "", as_json: Json = False) -> None:
    """Let a team submit."""
    with console.opened() as platform, platform.database.write() as session:
        view = TeamView.of(teams.approve(session, challenge, team, console.operator(by), reason))
    console.show(view.model_dump(), as_json, f"{view.name} may submit now.")


@app.command()
def baseline(
    challenge: str,
    team: str,
    off: bool = False,
    reason: Reason = "",
    by: By = "",
    as_json: Json = False,
) -> None:
    """Mark a team as a baseline of the organizers on the leaderboard."""
    with console.opened() as platform, platform.database.write() as session:
        found = teams.mark(session, challenge, team, not off, console.operator(by), reason)
        view = TeamView.of(found)
    console.show(view.model_dump(), as_json, f"{view.name} is {'not ' if off else ''}a baseline now.")
