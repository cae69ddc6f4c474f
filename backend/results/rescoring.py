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

from backend.audit import service as audit
from backend.db import Database, now
from backend.errors import Conflict
from backend.models.run import Run
from backend.models.score import Score
from backend.models.scoring import ScoringVersion
from backend.models.submission import Submission
from backend.results import figures, versions

Progress = Callable[[int, int], None]
Key = tuple[str, int, float | None]
SCORED_STATES = ("ranked", "finished", "withdrawn")
FIGURES = ("dataset_version", "average_precision", "validation", "undefined_because", "outcomes")


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
        audit.record(
            session,
            version.created_by,
            "scoring.make",
            version.challenge_id,
            str(version.number),
            version.reason,
            submissions=len(found),
        )
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


@dataclass(frozen=True)
class Renewed:
    """How many figures a submission has, and which of them changed when they were computed anew."""

    figures: int
    changes: list[dict[str, object]]


def prepare(session: Session, submission: Submission) -> dict[Key, list[Score]]:
    """All figures of a submission that was scored, computed anew; nothing is written.

    Raises:
        Conflict: what is stored does not suffice.
    """
    run = _scoring_run(session, submission)
    return {_key(run): _one(session, run, versions.everything(session, submission.challenge_id))}


def renew(session: Session, submission: Submission, prepared: dict[Key, list[Score]]) -> Renewed:
    """Put newly computed figures in place of those that are there, where they differ.

    The caller holds the challenge's lock and the submission's. What was prepared before counts only if the
    submission was not run again since.
    """
    run = _scoring_run(session, submission)
    scores = score_under_all(session, submission, run.id, prepared.get(_key(run), []))
    stored = session.scalars(select(Score).where(Score.submission_id == submission.id)).all()
    known = {_place(score): score for score in stored}
    numbers = {one.id: one.number for one in versions.everything(session, submission.challenge_id)}
    changes = []
    for score in scores:
        changed = _replaced(session, known.get(_place(score)), score)
        if changed:
            changes.append({"scoring": numbers[score.scoring_version_id], **_where(score), **changed})
    return Renewed(len(scores), changes)


def _scoring_run(session: Session, submission: Submission) -> Run:
    query = select(Run).where(Run.submission_id == submission.id, Run.stage == "score", Run.state == "done")
    if (run := session.scalar(query.options(joinedload(Run.submission)))) is None:
        raise Conflict("not_scored", f"Submission {submission.id} was never scored. Run it again instead.")
    return run


def _key(run: Run) -> Key:
    return run.submission_id, run.id, run.finished_at


def _place(score: Score) -> tuple[object, ...]:
    return score.scoring_version_id, score.stage, score.task, score.dataset


def _where(score: Score) -> dict[str, object]:
    return {"stage": score.stage, "task": score.task, "dataset": score.dataset}


def _replaced(session: Session, old: Score | None, new: Score) -> dict[str, object]:
    """What of a figure is other than before; `old` becomes it, with the time of now."""
    if old is None:
        session.add(new)
        return {"average_precision": [None, new.average_precision]}
    pairs = {name: [getattr(old, name), getattr(new, name)] for name in FIGURES}
    changed: dict[str, object] = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
    if changed:
        for name in FIGURES:
            setattr(old, name, getattr(new, name))
        old.created_at = session.scalars(select(now())).one()
    return changed


def _compute(
    session: Session,
    runs: Sequence[Run],
    version: ScoringVersion,
    prepared: dict[Key, list[Score]],
    progress: Progress | None,
) -> dict[Key, list[Score]]:
    found = {}
    for done, run in enumerate(runs, start=1):
        key = _key(run)
        found[key] = prepared[key] if key in prepared else _one(session, run, [version])
        if progress:
            progress(done, len(runs))
    return found


def _one(session: Session, run: Run, under: Sequence[ScoringVersion]) -> list[Score]:
    try:
        return figures.score(session, run.submission, under, run.id)
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
