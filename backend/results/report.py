"""What is known of a challenge's results: what that hangs on, and what is stored of it.

A report takes seconds to minutes, so a request only looks here; `backend/results/reporting.py` computes, in a
worker.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session, undefer

from backend.challenges import service as challenges
from backend.models.challenge import Challenge
from backend.models.report import Report
from backend.models.run import Run
from backend.models.score import Score
from backend.models.scoring import ScoringVersion
from backend.models.submission import Submission
from backend.results import versions
from backend.results.leaderboard import entries_of
from backend.results.study import failures_of, protocol_of
from scoring.report.analysis import FORMAT

CASES_FORMAT = 1
"""Another number once what is told of cases is told otherwise: what was stored before is not found then."""

State = Literal["nothing", "pending", "outdated", "computed", "undefined"]


@dataclass(frozen=True)
class Basis:
    """All that the report of a challenge hangs on, as JSON."""

    challenge: str
    content: str

    @property
    def digest(self) -> str:
        """By which it is kept."""
        return sha256(self.content.encode()).hexdigest()


def basis_of(session: Session, challenge: Challenge) -> Basis | None:
    """What the report hangs on now; None while nobody has a place in any task.

    A submission that was run or scored anew has other runs and other scores, with other times.
    """
    version = versions.public(session, challenge)
    tasks = [name for name in challenge.spec.tasks if name in version.policy]
    entries = {task: entries_of(session, challenge, task) for task in tasks}
    every = [entry for found in entries.values() for entry in found]
    if not every:
        return None
    ids = [entry.id for entry in every]
    content = {
        "format": [FORMAT["name"], FORMAT["version"], CASES_FORMAT],
        "challenge": challenge.id,
        "rules": _rules(challenge, version, tasks),
        "scoring": version.number,
        "datasets": {one.name: one.version for one in challenges.current_versions(session, challenge.id)},
        "entries": {task: [_entry(entry) for entry in found] for task, found in entries.items()},
        "scores": _scores(session, version, ids),
        "runs": _runs(session, ids),
        "failures": {task: failures_of(session, challenge.id, task) for task in tasks},
    }
    return Basis(challenge.id, json.dumps(content, sort_keys=True))


def _rules(challenge: Challenge, version: ScoringVersion, tasks: Sequence[str]) -> dict[str, Any]:
    """What the report tells of the rules, and draws by them; not the dates, for instance."""
    spec, rules = challenge.spec, versions.rules_of(version.policy)
    return {
        "title": spec.title,
        "tasks": {name: [spec.tasks[name].title, protocol_of(spec, name, rules[name])] for name in tasks},
        "ranking": spec.ranking.model_dump(mode="json"),
        "spacing": {name: dataset.spacing_mm for name, dataset in spec.datasets.items()},
    }


def _entry(entry: Submission) -> list[Any]:
    return [entry.id, entry.team.name, entry.team.baseline, entry.image_id, entry.finished_at]


def _scores(session: Session, version: ScoringVersion, submissions: Sequence[str]) -> list[list[Any]]:
    query = select(Score.id, Score.created_at, Score.average_precision).where(
        Score.submission_id.in_(submissions), Score.scoring_version_id == version.id
    )
    return [list(row) for row in session.execute(query.order_by(Score.id))]


def _runs(session: Session, submissions: Sequence[str]) -> list[list[Any]]:
    """By submission and stage how many runs are done, and since when: what is stored per case is theirs."""
    done = Run.submission_id.in_(submissions), Run.state == "done"
    query = select(
        Run.submission_id, Run.stage, func.count(), func.max(Run.id), func.max(Run.finished_at)
    ).where(*done)
    grouped = query.group_by(Run.submission_id, Run.stage).order_by(Run.submission_id, Run.stage)
    return [list(row) for row in session.execute(grouped)]


@dataclass(frozen=True)
class Known:
    """The newest report of a challenge.

    `nothing`: nobody has a place. `pending`: the first one is being computed. `outdated`: `as_of` is that of
    an older one, a newer one is being computed. `undefined`: there can be none, for the `reason`.
    """

    state: State
    digest: str = ""
    as_of: float | None = None
    reason: str | None = None
    document: Mapping[str, Any] | None = None
    cases: Mapping[str, Any] | None = None

    def task(self, slug: str) -> Mapping[str, Any] | None:
        """What the report says of a task, None where it does not know it."""
        tasks = self.document["tasks"] if self.document else []
        return next((told for told in tasks if told["slug"] == slug), None)


def known_of(session: Session, challenge: Challenge, with_cases: bool = False) -> Known:
    """What is stored for the results of now, else the newest of what is stored. Nothing is computed."""
    basis = basis_of(session, challenge)
    if basis is None:
        return Known("nothing")
    wanted = [undefer(Report.document), *([undefer(Report.cases)] if with_cases else [])]
    done = select(Report).options(*wanted).where(Report.computed_at.is_not(None))
    row = session.scalar(done.where(Report.digest == basis.digest))
    if row is not None and row.document is None:
        return Known("undefined", row.digest, row.computed_at, row.failure)
    if row is not None:
        return _known("computed", row, with_cases)
    older = done.where(Report.challenge_id == challenge.id, Report.document.is_not(None))
    last = session.scalar(older.order_by(Report.computed_at.desc()).limit(1))
    return Known("pending") if last is None else _known("outdated", last, with_cases)


def _known(state: State, row: Report, with_cases: bool) -> Known:
    return Known(state, row.digest, row.computed_at, None, row.document, row.cases if with_cases else None)
