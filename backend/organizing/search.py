"""Which submissions an organizer wants to see, in which order: the same for page, JSON and CSV."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import Depends, Query
from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import Session, joinedload, selectinload

from backend.csv_table import as_csv, moment
from backend.models.submission import ACTIVE_STATES, FINAL_STATES, Submission
from backend.models.team import Team
from backend.models.user import User
from backend.organizing.schemas import SubmissionRow
from backend.paging import Limit, PageNumber, Sheet
from backend.results import service

STATES = (*ACTIVE_STATES, *FINAL_STATES)
OPEN = "open"
"""Stands for every state that is not final."""
Sort = Literal["created", "finished", "title", "team", "state"]
Way = Literal["", "asc", "desc"]
Fault = Literal["", "ours", "theirs"]
Short = Annotated[str, Query(max_length=100)]
COLUMNS = (
    "id",
    "challenge",
    "team",
    "baseline",
    "kind",
    "task",
    "title",
    "state",
    "counts",
    "failure",
    "fault",
    "message",
    "created",
    "finished",
)


@dataclass(frozen=True)
class Wish:
    """What is asked of the list, as it stands in an address; `order` empty is the usual one of `sort`."""

    challenge: str = ""
    state: str = ""
    kind: str = ""
    task: str = ""
    team: str = ""
    code: str = ""
    fault: Fault = ""
    text: str = ""
    sort: Sort = "created"
    order: Way = ""
    page: int = 1
    limit: int = 50

    @property
    def descends(self) -> bool:
        """Whether the largest comes first."""
        return self.order == "desc" or (not self.order and self.sort in ("created", "finished"))

    def parameters(self, **changed: str | int) -> dict[str, str | int]:
        """As parameters of an address, without those that are as usual."""
        usual = vars(Wish())
        return {name: value for name, value in (vars(self) | changed).items() if value != usual.get(name, "")}


async def asked(
    challenge: Short = "",
    state: Annotated[str, Query(max_length=20, description="A state; open: all that are under way.")] = "",
    kind: Short = "",
    task: Short = "",
    team: Annotated[str, Query(max_length=100, description="Part of a team's name, or its id.")] = "",
    code: Annotated[str, Query(max_length=100, description="Code of a failure.")] = "",
    fault: Annotated[Fault, Query(description="Whose fault a failure is.")] = "",
    text: Annotated[str, Query(max_length=100, description="Part of the title, or of the id.")] = "",
    sort: Sort = "created",
    order: Annotated[Way, Query(description="Up or down; empty: as usual for `sort`.")] = "",
    page: PageNumber = 1,
    limit: Limit = 50,
) -> Wish:
    """The part of an address that says which submissions are wanted."""
    return Wish(
        challenge=challenge.strip(),
        state=state.strip(),
        kind=kind.strip(),
        task=task.strip(),
        team=team.strip(),
        code=code.strip(),
        fault=fault,
        text=text.strip(),
        sort=sort,
        order=order,
        page=page,
        limit=limit,
    )


Asked = Annotated[Wish, Depends(asked)]


def search(session: Session, viewer: User, wish: Wish) -> Sheet[SubmissionRow]:
    """The submissions of all teams that fit; the caller has checked that an organizer asks.

    A page that is not there is empty.
    """
    fitting = select(Submission).join(Submission.team).where(*_conditions(wish))
    total = session.scalars(select(func.count()).select_from(fitting.subquery())).one()
    found = session.scalars(_in_order(fitting, wish).limit(wish.limit).offset((wish.page - 1) * wish.limit))
    rows = found.all()
    on_board = _counting(session, {submission.team_id for submission in rows})
    items = [_row(session, submission, viewer, submission.id in on_board) for submission in rows]
    return Sheet(items=items, total=total, page=wish.page, pages=max(1, -(-total // wish.limit)))


def _conditions(wish: Wish) -> list[ColumnElement[bool]]:
    exact = {
        Submission.challenge_id: wish.challenge,
        Submission.kind: wish.kind,
        Submission.task: wish.task,
        Submission.failure_code: wish.code,
        Submission.state: "" if wish.state == OPEN else wish.state,
    }
    found: list[ColumnElement[bool]] = [column == value for column, value in exact.items() if value]
    if wish.state == OPEN:
        found.append(Submission.state.in_(ACTIVE_STATES))
    if wish.team:
        found.append(or_(Team.name.icontains(wish.team, autoescape=True), Team.id == wish.team))
    if wish.fault:
        found += [Submission.state == "failed", Submission.failure_ours.is_(wish.fault == "ours")]
    if wish.text:
        columns = Submission.title, Submission.id
        found.append(or_(*(column.icontains(wish.text, autoescape=True) for column in columns)))
    return found


def _in_order(query: Select[Submission], wish: Wish) -> Select[Submission]:
    columns: dict[str, Any] = {
        "created": Submission.created_at,
        "finished": Submission.finished_at,
        "title": func.lower(Submission.title),
        "team": func.lower(Team.name),
        "state": Submission.state,
    }
    by = [columns[wish.sort], Submission.created_at, Submission.id]
    ways = [column.desc() if wish.descends else column.asc() for column in by]
    query = query.options(joinedload(Submission.team), joinedload(Submission.challenge))
    query = query.options(selectinload(Submission.transitions))
    return query.order_by(ways[0].nulls_last(), *ways[1:])


def _counting(session: Session, teams: Collection[str]) -> set[str]:
    """The submissions that count for these teams: of each in each task the last one that is ranked."""
    query = select(Submission.team_id, Submission.task, Submission.id).where(
        Submission.team_id.in_(teams), Submission.kind == "counted", Submission.state == "ranked"
    )
    ranked = session.execute(query.order_by(Submission.created_at, Submission.id))
    return set({(team, task): submission for team, task, submission in ranked}.values())


def _row(session: Session, submission: Submission, viewer: User, counts: bool) -> SubmissionRow:
    return SubmissionRow(
        **dict(service.summary(session, submission, viewer)),
        baseline=submission.team.baseline,
        failure_ours=submission.failure_ours,
        failure_detail=submission.failure_detail,
        counts=counts,
    )


def codes(session: Session) -> list[str]:
    """Every code with which a submission failed."""
    query = select(Submission.failure_code).where(Submission.failure_code.is_not(None))
    return [code for code in session.scalars(query.distinct().order_by(Submission.failure_code)) if code]


def table(sheet: Sheet[SubmissionRow]) -> str:
    """The rows of a sheet as CSV."""
    return as_csv(COLUMNS, ([_cells(row)[name] for name in COLUMNS] for row in sheet.items))


def _cells(row: SubmissionRow) -> dict[str, object]:
    failure = row.failure
    return {
        **row.model_dump(),
        "team": row.team.name,
        "failure": failure.code if failure else "",
        "fault": ("ours" if row.failure_ours else "theirs") if failure else "",
        "message": failure.message if failure else "",
        "created": moment(row.created_at),
        "finished": moment(row.finished_at),
    }
