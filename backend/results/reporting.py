"""Reports of challenges, from what is stored per case: what `python -m backend report` writes, kept.

A worker asks for `work` when it likes, once no board lacks its intervals. It takes the next challenge whose
results have no report, so that whatever changes results needs to tell nobody.
"""

import logging
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from backend.challenges import service as challenges
from backend.db import Database, now
from backend.models.challenge import Challenge
from backend.models.report import Report
from backend.results import versions
from backend.results.report import Basis, basis_of
from backend.results.study import ResultsGone, study_of
from scoring.report.analysis import analyse
from scoring.report.cases import cases_told
from scoring.report.study import Study

log = logging.getLogger(__name__)

Found = tuple[dict[str, Any] | None, dict[str, Any] | None, str | None]
"""The document and the cases, or neither and the reason."""

CLAIM_SECONDS = 1200.0
"""How long a worker has a report to itself; if it died, another one tries then."""
REST = 4.0
"""After a report a challenge rests for so many times what that took: analysis sets change results often."""
LONGEST_REST = 600.0
KEPT = 3
"""Reports of a challenge that are kept, the newest ones."""


def work(database: Database) -> bool:
    """Compute and store the report of one challenge; False if none lacks it."""
    basis = _claimed(database)
    if basis is None:
        return False
    found = _found(database, basis)
    if found is None:  # the results changed: they are others' basis, and next
        with database.write() as session:
            session.execute(delete(Report).where(Report.digest == basis.digest))
        return True
    with database.write() as session:
        row = session.get_one(Report, basis.digest)
        row.document, row.cases, row.failure = found
        row.computed_at = now()
        session.flush()
        _forget(session, basis.challenge)
    return True


def _claimed(database: Database) -> Basis | None:
    with database.read() as session:
        due = next((basis for basis in _bases(session) if _is_due(session, basis)), None)
    if due is None:
        return None
    with database.write() as session:
        versions.lock(session, due.challenge)  # two workers look at a challenge one after the other
        if not _is_due(session, due):
            return None
        moment = session.scalars(select(now())).one()
        claim = Report(
            digest=due.digest,
            challenge_id=due.challenge,
            created_at=moment,
            claimed_until=moment + CLAIM_SECONDS,
        )
        session.merge(claim)
    return due


def _bases(session: Session) -> list[Basis]:
    found = [basis_of(session, challenge) for challenge in challenges.everything(session)]
    return [basis for basis in found if basis is not None]


def _is_due(session: Session, basis: Basis) -> bool:
    """Whether results have no report, nobody computes one of this challenge, and it has rested."""
    moment = session.scalars(select(now())).one()
    rows = session.scalars(select(Report).where(Report.challenge_id == basis.challenge)).all()
    if any(row.computed_at is None and row.claimed_until >= moment for row in rows):
        return False
    done = {row.digest: row for row in rows if row.computed_at is not None}
    if basis.digest in done:
        return False
    return all(_rested(row, moment) for row in done.values())


def _rested(row: Report, moment: float) -> bool:
    ended = row.computed_at or moment
    return moment >= ended + min(REST * (ended - row.created_at), LONGEST_REST)


def _found(database: Database, basis: Basis) -> Found | None:
    try:
        study = _gathered(database, basis)
        return None if study is None else _computed(study)
    except ResultsGone:
        return None


def _gathered(database: Database, basis: Basis) -> Study | None:
    """The study of exactly what the report shall hang on; None if results are others by now."""
    with database.read() as session:
        challenge = session.get_one(Challenge, basis.challenge)
        number = versions.public(session, challenge).number
        study = study_of(session, challenge, number, fetching=database)
        session.expire_all()
        return study if basis_of(session, session.get_one(Challenge, basis.challenge)) == basis else None


def _computed(study: Study) -> Found:
    try:
        return analyse(study), {task.slug: cases_told(study, task) for task in study.tasks}, None
    except (ValueError, ArithmeticError, LookupError) as error:
        log.exception("%s: there can be no report", study.challenge)
        return None, None, f"{type(error).__name__}: {error}"


def _forget(session: Session, challenge: str) -> None:
    """Remove what is older than the newest reports, and claims of the dead."""
    done = select(Report.digest).where(Report.challenge_id == challenge, Report.computed_at.is_not(None))
    kept = session.scalars(done.order_by(Report.computed_at.desc()).limit(KEPT)).all()
    session.execute(delete(Report).where(Report.challenge_id == challenge, Report.digest.not_in(kept)))
