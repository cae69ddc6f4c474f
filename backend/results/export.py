"""All that a challenge's results rest on, as files: rules, boards, scores, versions, digests, the audit log.

The same state gives the same bytes; the date and who asked are in the metadata of the crate alone.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, get_args

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from backend import csv_table
from backend.challenges.service import spec_in_force
from backend.models.audit import AuditEntry
from backend.models.challenge import Challenge, DatasetVersion
from backend.models.reveal import FrozenBoard
from backend.models.score import Score
from backend.models.submission import Submission
from backend.models.team import Team
from backend.models.user import User
from backend.results import versions
from backend.results.board_export import as_csv
from backend.results.leaderboard import leaderboard
from challenges.spec import Part

JSON, CSV, YAML, TEXT = "application/json", "text/csv", "application/yaml", "text/plain"
ACTION = "results.export"
SCORE_COLUMNS = (
    "submission",
    "team",
    "task",
    "dataset",
    "dataset_version",
    "stage",
    "scoring_version",
    "average_precision",
    "validation",
    "undefined_because",
    "outcomes",
    "computed_at",
)


@dataclass(frozen=True)
class Item:
    """One file of an export."""

    path: str
    content: bytes
    about: str
    media_type: str

    @property
    def sha256(self) -> str:
        return sha256(self.content).hexdigest()


def items_of(session: Session, challenge: Challenge) -> list[Item]:
    """All files of a challenge's export, for organizers only; no case, and no name of one, is in them."""
    return [
        Item("challenge.yaml", challenge.spec_text.encode(), "The challenge's YAML, word for word", YAML),
        Item(
            "rules.yaml", spec_in_force(challenge).encode(), "The rules in force, with what was changed", YAML
        ),
        _json("settings.json", challenge.settings, "What organizers changed of the YAML, by setting"),
        *_boards(session, challenge),
        _scores(session, challenge),
        _json(
            "scoring-versions.json", _scoring(session, challenge), "Scoring versions: rules, reasons, origin"
        ),
        _json(
            "datasets.json",
            _datasets(session, challenge),
            "Versions of the datasets, by digest of the manifest",
        ),
        _json("teams.json", _teams(session, challenge), "Teams: names, aliases, baselines"),
        _json(
            "submissions.json",
            _submissions(session, challenge),
            "Submissions: images, states, what happened when",
        ),
        _json(
            "frozen-boards.json",
            _frozen(session, challenge),
            "Boards that were frozen, and what became of them",
        ),
        _json(
            "audit-log.json",
            _audit(session, challenge),
            "Who changed what, when and why; exports are left out",
        ),
    ]


def _json(path: str, content: Any, about: str) -> Item:
    return Item(
        path, (json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode(), about, JSON
    )


def _boards(session: Session, challenge: Challenge) -> Iterable[Item]:
    organizer = User(id="export", name="export", email="", password_hash="", role="organizer", active=True)
    for task in challenge.spec.tasks:
        for live in (False, True) if challenge.frozen else (False,):
            board = leaderboard(session, challenge, task, organizer, live=live)
            path = f"boards/{task}-live" if live else f"boards/{task}"
            about = f"The board of {challenge.spec.tasks[task].title}, full precision"
            if challenge.frozen:
                about += ", as it would be if it were not frozen" if live else ", as it was frozen"
            yield _json(f"{path}.json", board.model_dump(mode="json", exclude={"view"}), about)
            yield Item(f"{path}.csv", as_csv(board).encode(), about, CSV)


def _scores(session: Session, challenge: Challenge) -> Item:
    query = (
        select(Score)
        .join(Submission, Submission.id == Score.submission_id)
        .where(Submission.challenge_id == challenge.id)
        .options(joinedload(Score.scoring_version))
        .order_by(Score.id)
    )
    entered = select(Submission.id, Team.name).join(Team).where(Submission.challenge_id == challenge.id)
    teams = {submission: team for submission, team in session.execute(entered)}
    rows = [_score(score, teams[score.submission_id]) for score in session.scalars(query)]
    about = "Figures of every submission on every dataset under every scoring version, full precision"
    return Item("scores.csv", csv_table.as_csv(SCORE_COLUMNS, rows).encode(), about, CSV)


def _score(score: Score, team: str) -> list[object]:
    return [
        score.submission_id,
        team,
        score.task,
        score.dataset,
        score.dataset_version,
        score.stage,
        score.scoring_version.number,
        score.average_precision,
        score.validation,
        score.undefined_because,
        json.dumps(score.outcomes, sort_keys=True),
        score.created_at,
    ]


def _scoring(session: Session, challenge: Challenge) -> list[dict[str, Any]]:
    organizer = User(id="export", name="export", email="", password_hash="", role="organizer", active=True)
    return [view.model_dump(mode="json") for view in versions.visible(session, challenge.id, organizer)]


def _datasets(session: Session, challenge: Challenge) -> list[dict[str, Any]]:
    query = select(DatasetVersion).where(DatasetVersion.challenge_id == challenge.id)
    return [_dataset(row) for row in session.scalars(query.order_by(DatasetVersion.id))]


def _dataset(row: DatasetVersion) -> dict[str, Any]:
    return {
        "name": row.name,
        "version": row.version,
        "current": row.current,
        "registered_at": row.created_at,
        "manifest_sha256": sha256(row.manifest_text.encode()).hexdigest(),
        "shape": list(row.manifest.shape),
        "cases": {part: len(row.manifest.cases_of(part)) for part in get_args(Part)},
    }


def _teams(session: Session, challenge: Challenge) -> list[dict[str, Any]]:
    query = select(Team).where(Team.challenge_id == challenge.id).order_by(Team.created_at, Team.id)
    names = ("id", "name", "alias", "baseline", "created_at", "approved_at")
    return [{name: getattr(row, name) for name in names} for row in session.scalars(query)]


def _submissions(session: Session, challenge: Challenge) -> list[dict[str, Any]]:
    query = (
        select(Submission)
        .where(Submission.challenge_id == challenge.id)
        .options(selectinload(Submission.transitions))
        .order_by(Submission.created_at, Submission.id)
    )
    return [_submission(row) for row in session.scalars(query)]


def _submission(row: Submission) -> dict[str, Any]:
    names = ("id", "team_id", "kind", "task", "title", "state", "image_id", "archive_sha256", "archive_size")
    more = ("failure_code", "failure_ours", "created_at", "finished_at")
    moves = [
        {"before": move.before, "after": move.after, "cause": move.cause, "at": move.created_at}
        for move in row.transitions
    ]
    return {name: getattr(row, name) for name in (*names, *more)} | {"transitions": moves}


def _frozen(session: Session, challenge: Challenge) -> list[dict[str, Any]]:
    numbers = {version.id: version.number for version in versions.everything(session, challenge.id)}
    query = select(FrozenBoard).where(FrozenBoard.challenge_id == challenge.id).order_by(FrozenBoard.id)
    return [
        {
            "frozen_at": row.created_at,
            "published_at": row.published_at,
            "unfrozen_at": row.released_at,
            "scoring_version": numbers[row.scoring_version_id],
            "entries": row.entries,
        }
        for row in session.scalars(query)
    ]


def _audit(session: Session, challenge: Challenge) -> list[dict[str, Any]]:
    # An export changes nothing: with it in the log, the next one would be another.
    query = select(AuditEntry).where(AuditEntry.challenge_id == challenge.id, AuditEntry.action != ACTION)
    names = ("id", "created_at", "actor", "action", "subject", "reason", "details")
    return [
        {name: getattr(row, name) for name in names} for row in session.scalars(query.order_by(AuditEntry.id))
    ]
