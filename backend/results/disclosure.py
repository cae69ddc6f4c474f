"""What may be told about hidden cases, and when.

A container decides how long it runs and how much memory it takes, so exact figures would carry what it saw
out of the sandbox. Participants get totals, rounded, once everything is over.
"""

import math
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from backend.models.run import Run
from backend.models.submission import Submission
from backend.models.team import Team
from backend.models.user import User
from backend.results.schemas import FailureView, RunView, TransitionView
from challenges.spec import Challenge
from submissions.contract import Code, general_message

SECONDS = 10
MEMORY = 64 << 20
OVER = ("done", "failed", "cancelled")


def rounded_time(seconds: float | None) -> float | None:
    """The next multiple of 10 s."""
    return None if seconds is None else float(math.ceil(seconds / SECONDS) * SECONDS)


def rounded_memory(size: int | None) -> int | None:
    """The next multiple of 64 MiB."""
    return None if size is None else -(-size // MEMORY) * MEMORY


def board_is_public(spec: Challenge, moment: float) -> bool:
    """Whether everybody may see the leaderboard; without a date of reveal nothing is revealed."""
    match spec.publication.leaderboard:
        case "live":
            return True
        case "after_reveal":
            return _revealed(spec, moment)
        case "organizers":
            return False


def aliases_are_in_force(spec: Challenge, moment: float) -> bool:
    """Whether everybody but organizers sees aliases on boards where the names of teams belong."""
    return spec.publication.aliases and not _revealed(spec, moment)


def shown_name(team: Team, aliases: bool) -> str:
    """What a team is called on a board; baselines are the organizers' own and keep their names."""
    return team.alias if aliases and not team.baseline else team.name


def categories_are_public(spec: Challenge, moment: float) -> bool:
    """Whether everybody may learn how results differ by category of anomaly: once all is over."""
    return board_is_public(spec, moment) and _revealed(spec, moment)


def disclosed(spec: Challenge, moment: float) -> dict[str, bool]:
    """What the reveal is about, and whether everybody may see it."""
    public = board_is_public(spec, moment)
    return {
        "The leaderboard": public,
        "Names of the teams on it": public and not aliases_are_in_force(spec, moment),
        "To every team its own scores": own_scores_are_public(spec, moment),
        "The share of abnormal voxels in each dataset": public and mask_totals_are_public(spec, moment),
        "Results by category of anomaly": categories_are_public(spec, moment),
    }


def mask_totals_are_public(spec: Challenge, moment: float) -> bool:
    """Whether everybody may learn what share of the hidden voxels is positive: once all is over."""
    return _revealed(spec, moment)


def own_scores_are_public(spec: Challenge, moment: float) -> bool:
    """Whether a team may see its own scores on hidden cases."""
    return spec.publication.own_score == "live" or _revealed(spec, moment)


def _revealed(spec: Challenge, moment: float) -> bool:
    return spec.dates.reveal is not None and moment >= spec.dates.reveal.timestamp()


def reveal_sentence(spec: Challenge, what: str) -> str:
    """When something that is not public yet will be."""
    if spec.dates.reveal is None:
        return f"{what} are published when the organizers decide so."
    return f"{what} are published on {spec.dates.reveal.astimezone(UTC):%d %B %Y, %H:%M} UTC."


def touches_hidden_cases(submission: Submission, stage: str) -> bool:
    """Whether what happens in this stage depends on hidden cases."""
    return stage in ("test", "analysis") or (stage == "score" and submission.kind == "counted")


def failure_for(submission: Submission, viewer: User) -> FailureView | None:
    """Why it failed, with the general sentence only when hidden cases were involved."""
    if submission.failure_code is None:
        return None
    stage = next((move.before for move in submission.transitions if move.after == "failed"), "test")
    message = submission.failure_message or ""
    if not viewer.is_organizer and touches_hidden_cases(submission, stage):
        message = _general(submission.failure_code)
    return FailureView(code=submission.failure_code, message=message)


def transitions_for(submission: Submission, viewer: User) -> list[TransitionView]:
    """The story of a submission; times are rounded from the moment that hidden cases were run."""
    return [
        TransitionView(
            before=move.before,
            after=move.after,
            cause=move.cause,
            at=_time_for(submission, move.before, move.created_at, viewer),
        )
        for move in submission.transitions
    ]


def finished_for(submission: Submission, viewer: User | None) -> float | None:
    """When it ended, rounded like the transitions."""
    if submission.finished_at is None:
        return None
    # Being withdrawn or reinstated later changes nothing of when it ended.
    moves = [move.before for move in submission.transitions if move.before not in ("ranked", "withdrawn")]
    before = moves[-1] if moves else "test"
    return _time_for(submission, before, submission.finished_at, viewer)


def _time_for(submission: Submission, before: str, at: float, viewer: User | None) -> float:
    if (viewer is not None and viewer.is_organizer) or not touches_hidden_cases(submission, before):
        return at
    return rounded_moment(at)


def rounded_moment(at: float) -> float:
    """When something on hidden cases happened, as everybody is told: the next multiple of 10 s."""
    return math.ceil(at / SECONDS) * SECONDS


def runs_for(submission: Submission, runs: Sequence[Run]) -> list[RunView]:
    """Runs as the owner may see them: open ones in full, hidden ones as one line per stage and dataset.

    Analysis sets do not exist for owners.
    """
    views: dict[tuple[object, ...], RunView] = {}
    for run in runs:
        if run.is_beside:
            continue
        if not touches_hidden_cases(submission, run.stage):
            views[(run.id,)] = _open_run(run)
        elif (key := (run.stage, run.task, run.dataset)) not in views:
            views[key] = _hidden_runs(
                [other for other in runs if (other.stage, other.task, other.dataset) == key]
            )
    return list(views.values())


def _open_run(run: Run) -> RunView:
    failed = run.state == "failed"
    return RunView(
        stage=run.stage,
        task=run.task,
        dataset=run.dataset,
        shard=run.shard,
        state=run.state,
        attempt=run.attempt,
        cases=len(run.cases),
        started_at=run.started_at,
        wall_seconds=run.wall_seconds,
        peak_memory=run.peak_memory,
        log=run.log if run.stage == "toy" else None,
        failure_code=run.failure_code if failed else None,
        failure_message=run.failure_message if failed else None,
    )


def _hidden_runs(shards: Sequence[Run]) -> RunView:
    state = _common_state({run.state for run in shards})
    over = all(run.state in OVER for run in shards)
    code = next((run.failure_code for run in shards if run.state == "failed"), None)
    seconds = [run.wall_seconds for run in shards if run.wall_seconds is not None]
    memory = [run.peak_memory for run in shards if run.peak_memory is not None]
    return RunView(
        stage=shards[0].stage,
        task=shards[0].task,
        dataset=shards[0].dataset,
        shard=None,
        state=state,
        attempt=None,
        cases=sum(len(run.cases) for run in shards),
        wall_seconds=rounded_time(sum(seconds)) if over and seconds else None,
        peak_memory=rounded_memory(max(memory)) if over and memory else None,
        failure_code=code,
        failure_message=_general(code) if code else None,
    )


def _common_state(states: set[str]) -> str:
    for state in ("failed", "running"):
        if state in states:
            return state
    if "cancelled" in states:
        return "cancelled"
    if "waiting" in states:
        return "waiting" if states == {"waiting"} else "running"
    return "done"


def _general(code: str) -> str:
    known = code if code in set(Code) else Code.PLATFORM
    return general_message(Code(known))


def end_of(day: date) -> float:
    """When a day of UTC is over, in seconds since the epoch."""
    return (datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)).timestamp()


def utc(seconds: float) -> datetime:
    """A time of the database as a date."""
    return datetime.fromtimestamp(seconds, UTC)
