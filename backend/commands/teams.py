"""`python -m backend teams …`"""

import typer
from sqlalchemy import update

from backend.accounts import teams
from backend.accounts.schemas import TeamView
from backend.commands import console
from backend.commands.console import Json
from backend.models.team import Team

app = typer.Typer(no_args_is_help=True, help="Teams.")


@app.command("list")
def list_teams(challenge: str, as_json: Json = False) -> None:
    """All teams of a challenge."""
    with console.opened() as platform, platform.database.read() as session:
        views = [TeamView.of(team).model_dump() for team in teams.teams_of(session, challenge)]
    rows = [view | {"members": [member["name"] for member in view["members"]]} for view in views]
    console.show_rows(rows, as_json, ("id", "name", "approved", "baseline", "members"))


@app.command()
def approve(challenge: str, team: str, as_json: Json = False) -> None:
    """Let a team submit."""
    with console.opened() as platform, platform.database.write() as session:
        view = TeamView.of(teams.approve(session, challenge, team))
    console.show(view.model_dump(), as_json, f"{view.name} may submit now.")


@app.command()
def baseline(challenge: str, team: str, off: bool = False, as_json: Json = False) -> None:
    """Mark a team as a baseline of the organizers on the leaderboard."""
    with console.opened() as platform, platform.database.write() as session:
        found = teams.approve(session, challenge, team)
        session.execute(update(Team).where(Team.id == found.id).values(baseline=not off))
        view = TeamView.of(teams.get(session, team))
    console.show(view.model_dump(), as_json, f"{view.name} is {'not ' if off else ''}a baseline now.")
