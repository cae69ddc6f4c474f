"""New scoring versions, computed from what is stored per case.

Figures are computed before the write transaction, so that nobody waits for them. In it, under a lock on the
challenge, each side looks once more at what the other has written meanwhile: a scoring run at the versions, a
rescoring at the submissions. So each submission has figures under each version, whoever comes first.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from backend.db import Database
from backend.errors import Conflict
from backend.models.run import Run
from backend.models.score import Score
from backend.models.scoring import ScoringVersion
from backend.models.submission import Submission
from backend.results import figures, versions

Progress = Callable[[int, int], None]
Key = tuple[str, int, float | None]
SCORED_STATES = ("ranked", "finished", "withdrawn")


@dataclass(frozen=True)
class Rescored:
    """A new version, how many submissions have figures under it, and how many seconds that took."""

    version: ScoringVersion
    submissions: int
    seconds: float


def add_version(database: Database, draft: ScoringVersion, progress: Progress | None = None) -> Rescored:
    """Make a drafted version real, with figures for all that was scored: all of it, or nothing.

    Everything is written in one transaction; after a crash the command is simply repeated. Older figures are
    left as they are. The version is not current until `versions.make_current` says so.

    Raises:
        Conflict: what is stored of a submission does not suffice.
    """
    begun = time.perf_counter()
    with database.read() as session:
        prepared = _compute(session, scored(session, draft.challenge_id), draft, {}, progress)
    with database.write() as session:
        versions.lock(session, draft.challenge_id)
        version = versions.add(session, draft)
        runs = scored(session, draft.challenge_id, hold=True)
        found = _compute(session, runs, version, prepared, None)
        for score in (score for scores in found.values() for score in scores):
            score.scoring_version_id = version.id
            session.add(score)
    return Rescored(version, len(found), time.perf_counter() - begun)


def scored(session: Session, challenge_id: str, hold: bool = False) -> Sequence[Run]:
    """The scoring runs of all submissions of a challenge that were scored.

    With `hold`, no submission among them is run again until the transaction ends.
    """
    over = Submission.state.in_(SCORED_STATES)
    if hold:
        mine = select(Submission.id).where(Submission.challenge_id == challenge_id, over)
        session.execute(mine.order_by(Submission.id).with_for_update(read=True, key_share=True)).all()
    query = (
        select(Run)
        .join(Submission)
        .where(Submission.challenge_id == challenge_id, over, Run.stage == "score", Run.state == "done")
        .options(joinedload(Run.submission).joinedload(Submission.challenge))
    )
    return session.scalars(query.order_by(Run.id)).all()


def _compute(
    session: Session,
    runs: Sequence[Run],
    version: ScoringVersion,
    prepared: dict[Key, list[Score]],
    progress: Progress | None,
) -> dict[Key, list[Score]]:
    found = {}
    for done, run in enumerate(runs, start=1):
        key = (run.submission_id, run.id, run.finished_at)
        found[key] = prepared[key] if key in prepared else _one(session, run, version)
        if progress:
            progress(done, len(runs))
    return found


def _one(session: Session, run: Run, version: ScoringVersion) -> list[Score]:
    try:
        return figures.score(session, run.submission, [version], run.id)
    except ValueError as error:
        raise Conflict(
            "cannot_rescore",
            f"Submission {run.submission_id} cannot be scored from what is stored: {error}. Run it again "
            f"with `python -m backend submissions rerun {run.submission_id}`, then repeat.",
        ) from error


def score_under_all(
    session: Session, submission: Submission, run_id: int, prepared: Sequence[Score]
) -> list[Score]:
    """What a scoring run writes: the prepared scores, and those of versions that came up since.

    The caller has locked the submission, in the transaction in which the scores are added.
    """
    versions.lock(session, submission.challenge_id)
    known = {score.scoring_version_id for score in prepared}
    lacking = [one for one in versions.everything(session, submission.challenge_id) if one.id not in known]
    return [*prepared, *figures.score(session, submission, lacking, run_id)]
