"""What teams handed in."""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backend.models.submission import ACTIVE_STATES, Submission


@dataclass
class HandedIn:
    """Submissions of a team: all, those that count, those under way, those on a board."""

    total: int = 0
    counted: int = 0
    open: int = 0
    ranked: int = 0


def handed_in(session: Session, challenge_id: str) -> dict[str, HandedIn]:
    """By the id of each team of a challenge that handed in anything."""
    columns = Submission.team_id, Submission.kind, Submission.state
    query = select(*columns, func.count()).where(Submission.challenge_id == challenge_id).group_by(*columns)
    found: dict[str, HandedIn] = {}
    for team, kind, state, count in session.execute(query):
        of_team = found.setdefault(team, HandedIn())
        of_team.total += count
        of_team.counted += count if kind == "counted" else 0
        of_team.open += count if state in ACTIVE_STATES else 0
        of_team.ranked += count if state == "ranked" else 0
    return found
