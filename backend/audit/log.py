"""Reading the audit log: what is asked of it, and what fits."""

import json
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from backend.audit.schemas import AuditView
from backend.csv_table import as_csv, moment
from backend.models.audit import AuditEntry
from backend.paging import Limit, PageNumber, Sheet

Short = Annotated[str, Query(max_length=100)]
COLUMNS = ("id", "at", "actor", "action", "challenge", "subject", "reason", "details")


@dataclass(frozen=True)
class LogWish:
    """Which entries are wanted, as it stands in an address; empty is everything."""

    challenge: str = ""
    actor: str = ""
    action: str = ""
    subject: str = ""
    page: int = 1
    limit: int = 50

    def parameters(self, **changed: str | int) -> dict[str, str | int]:
        """As parameters of an address, without those that are as usual."""
        usual = vars(LogWish())
        return {name: value for name, value in (vars(self) | changed).items() if value != usual[name]}


async def asked(
    challenge: Short = "",
    actor: Short = "",
    action: Annotated[
        str, Query(max_length=100, description="Such as `submission.rerun`, or its beginning.")
    ] = "",
    subject: Annotated[str, Query(max_length=100, description="Id of a submission, a team …")] = "",
    page: PageNumber = 1,
    limit: Limit = 50,
) -> LogWish:
    """The part of an address that says what is wanted of the log."""
    return LogWish(challenge.strip(), actor.strip(), action.strip(), subject.strip(), page, limit)


Asked = Annotated[LogWish, Depends(asked)]


def entries(session: Session, wish: LogWish) -> Sheet[AuditView]:
    """What fits, newest first. A page that is not there is empty."""
    fitting = _fitting(wish)
    total = session.scalars(select(func.count()).select_from(fitting.subquery())).one()
    query = fitting.order_by(AuditEntry.id.desc()).limit(wish.limit).offset((wish.page - 1) * wish.limit)
    items = [AuditView.of(entry) for entry in session.scalars(query)]
    return Sheet(items=items, total=total, page=wish.page, pages=max(1, -(-total // wish.limit)))


def _fitting(wish: LogWish) -> Select[AuditEntry]:
    query = select(AuditEntry)
    if wish.challenge:
        query = query.where(AuditEntry.challenge_id == wish.challenge)
    if wish.actor:
        query = query.where(AuditEntry.actor == wish.actor)
    if wish.action:
        query = query.where(AuditEntry.action.startswith(wish.action, autoescape=True))
    if wish.subject:
        query = query.where(AuditEntry.subject == wish.subject)
    return query


@dataclass(frozen=True)
class Known:
    """What one may ask for: everybody who did something, and everything that was done."""

    actors: list[str]
    actions: list[str]


def known(session: Session) -> Known:
    """Actors and actions by name."""
    actors = select(AuditEntry.actor).distinct().order_by(AuditEntry.actor)
    actions = select(AuditEntry.action).distinct().order_by(AuditEntry.action)
    return Known(list(session.scalars(actors)), list(session.scalars(actions)))


def table(sheet: Sheet[AuditView]) -> str:
    """The entries of a sheet as CSV; `details` are JSON."""
    rows = (
        [
            entry.id,
            moment(entry.at),
            entry.actor,
            entry.action,
            entry.challenge,
            entry.subject,
            entry.reason,
            json.dumps(entry.details, ensure_ascii=False, sort_keys=True),
        ]
        for entry in sheet.items
    )
    return as_csv(COLUMNS, rows)
