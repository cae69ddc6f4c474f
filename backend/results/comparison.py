"""Two boards of the same submissions, under two scoring versions, and who moved."""

from sqlalchemy.orm import Session

from backend.models.challenge import Challenge
from backend.models.user import User
from backend.results.leaderboard import leaderboard
from backend.results.schemas import BoardRow, Comparison, Move
from scoring.average_precision import UndefinedMetric
from scoring.ranking import kendall_tau_b


def compare(
    session: Session, challenge: Challenge, task: str, old: int, new: int, viewer: User
) -> Comparison:
    """The boards of one task under the versions of two numbers, for an organizer.

    Raises:
        NotFound: the challenge has no such task or version.
        Forbidden: the viewer is no organizer, and one of the versions is not the public one.
    """
    before = leaderboard(session, challenge, task, viewer, old)
    after = leaderboard(session, challenge, task, viewer, new)
    old_row = {row.submission: row for row in before.rows}
    moves = [_move(old_row[row.submission], row) for row in after.rows]
    tau, undefined_because = _tau(moves)
    return Comparison(
        challenge=challenge.id,
        task=task,
        old=before,
        new=after,
        moves=moves,
        tau=tau,
        tau_undefined_because=undefined_because,
    )


def _move(old: BoardRow, new: BoardRow) -> Move:
    return Move(
        team=new.team,
        submission=new.submission,
        baseline=new.baseline,
        old_place=old.place,
        new_place=new.place,
        movement=movement(old.place, new.place),
    )


def movement(old: int, new: int) -> str:
    """How far somebody moved, in words: a smaller place is further up."""
    if old == new:
        return "same place"
    return f"up {old - new}" if new < old else f"down {new - old}"


def _tau(moves: list[Move]) -> tuple[float | None, str | None]:
    try:
        return kendall_tau_b([move.old_place for move in moves], [move.new_place for move in moves]), None
    except UndefinedMetric as error:
        return None, str(error)
