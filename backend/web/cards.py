"""A challenge as it looks to a visitor, and the one thing that they do next."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from backend.accounts import teams
from backend.db import now
from backend.intake import samples
from backend.intake import service as intake
from backend.intake.service import Quota
from backend.models.challenge import Challenge
from backend.models.sample import WorkingSample
from backend.models.submission import FINAL_STATES, Submission
from backend.models.team import Team
from backend.models.user import User
from backend.results import disclosure, versions
from backend.results.schemas import SubmissionSummary
from backend.results.service import summary
from backend.results.waiting import with_estimates
from challenges import spec

LATEST = 100
SHOWN = 3


@dataclass(frozen=True)
class Step:
    """What a visitor does next: a sentence, and where."""

    text: str
    button: str
    path: str


@dataclass(frozen=True)
class Card:
    """A challenge as pages show it; `policy` is how its tasks are scored now.

    `open`: counted submissions are taken now. `under_way`: the team's newest submissions that are not over.
    """

    id: str
    rules: spec.Challenge
    policy: versions.Policy
    moment: float
    team: Team | None
    quotas: dict[str, Quota]
    under_way: list[SubmissionSummary]
    sample: WorkingSample | None
    step: Step
    open: bool


def card(session: Session, challenge: Challenge, user: User | None) -> Card:
    """A challenge as it looks to a visitor."""
    rules, moment = challenge.spec, session.scalars(select(now())).one()
    team = teams.team_of(session, challenge.id, user) if user else None
    latest = _latest(session, team) if team else []
    quotas = {task: intake.quota(session, rules, team, task) for task in rules.tasks} if team else {}
    sample = samples.sample_of(session, challenge.id)
    return Card(
        id=challenge.id,
        rules=rules,
        policy=versions.policy_of(rules) | versions.current(session, challenge.id).policy,
        moment=moment,
        team=team,
        quotas=quotas,
        under_way=_under_way(session, latest, user),
        sample=sample,
        step=_next_step(challenge.id, rules, user, team, latest, quotas, moment),
        open=_phase(rules, moment) == "open",
    )


def _latest(session: Session, team: Team) -> Sequence[Submission]:
    query = select(Submission).where(Submission.team_id == team.id)
    query = query.order_by(Submission.created_at.desc(), Submission.id.desc()).limit(LATEST)
    loaded = (
        joinedload(Submission.team),
        joinedload(Submission.challenge),
        selectinload(Submission.transitions),
    )
    return session.scalars(query.options(*loaded)).all()


def _under_way(session: Session, latest: Sequence[Submission], user: User | None) -> list[SubmissionSummary]:
    active = [row for row in latest if row.state not in FINAL_STATES][:SHOWN]
    return with_estimates(session, [summary(session, row, user) for row in active]) if user else []


def _phase(rules: spec.Challenge, moment: float) -> str:
    """Before, open or after, by the dates of counted submissions."""
    dates = rules.dates
    if dates.opens is not None and moment < dates.opens.timestamp():
        return "before"
    return "after" if dates.closes is not None and moment >= dates.closes.timestamp() else "open"


def _next_step(
    challenge: str,
    rules: spec.Challenge,
    user: User | None,
    team: Team | None,
    latest: Sequence[Submission],
    quotas: dict[str, Quota],
    moment: float,
) -> Step:
    here = f"/challenges/{challenge}"
    if user is None:
        return Step("Sign up to take part; it takes a minute.", "Sign up", f"/sign-up?next={here}/team")
    if team is None:
        return Step("Found a team, or join one by invitation.", "Choose a team", f"{here}/team")
    if team.approved_at is None:
        return Step(f"{team.name} waits for the organizers' approval.", "See your team", f"{here}/team")
    if not latest:
        return Step("Try your image on the toy cases; that is never counted.", "Submit", f"{here}/submit")
    newest = latest[0]
    if newest.state not in FINAL_STATES:
        return Step(f"“{newest.title}” is under way.", "Watch it", f"/submissions/{newest.id}")
    if newest.state == "failed" and not newest.failure_ours:
        text = f"“{newest.title}” failed. Its page says why, and what helps."
        return Step(text, "Look at it", f"/submissions/{newest.id}")
    return _step_after_success(here, rules, latest, quotas, moment)


def _step_after_success(
    here: str, rules: spec.Challenge, latest: Sequence[Submission], quotas: dict[str, Quota], moment: float
) -> Step:
    ranked = any(row.state == "ranked" for row in latest)
    public = disclosure.board_is_public(rules, moment)
    left = [rules.tasks[task].title for task, quota in quotas.items() if quota.left]
    match _phase(rules, moment):
        case "before":
            text = "Your image runs. Counted submissions are not open yet; toy submissions are."
            return Step(text, "Submit", f"{here}/submit")
        case "open" if not ranked and left:
            text = f"Your image runs: hand in a counted one ({' or '.join(left)})."
            return Step(text, "Submit", f"{here}/submit")
    if ranked and public:
        return Step("You have a place.", "See your place", f"{here}/leaderboard")
    if ranked:
        text = f"You are ranked. {disclosure.reveal_sentence(rules, 'Places')}"
        return Step(text, "Your submissions", f"{here}/submissions")
    text = "Counted submissions are over." if public else disclosure.reveal_sentence(rules, "Places")
    return Step(text, "Leaderboard", f"{here}/leaderboard")
