"""A team's submissions as a table that is filtered and sorted: the same for page, JSON and CSV."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import Depends, Query
from pydantic import BaseModel
from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session, joinedload, selectinload

from backend.csv_table import as_csv, moment
from backend.errors import BadInput
from backend.models.submission import ACTIVE_STATES, Submission
from backend.models.team import Membership
from backend.models.user import User
from backend.results.schemas import SubmissionSummary
from backend.results.service import summary
from backend.results.waiting import with_estimates

ROWS = 50
MOST_ROWS = 1000
SORTS: dict[str, Any] = {
    "created": Submission.created_at,
    "finished": Submission.finished_at,
    "title": func.lower(Submission.title),
    "kind": Submission.kind,
    "state": Submission.state,
}
LATEST_FIRST = ("created", "finished")


@dataclass(frozen=True)
class Wish:
    """What is asked of the table, as it stands in an address; `order` empty is the usual one of `sort`."""

    title: str = ""
    kind: Literal["", "toy", "counted"] = ""
    state: str = ""
    sort: str = "created"
    order: Literal["", "asc", "desc"] = ""
    page: int = 1

    @property
    def descends(self) -> bool:
        return self.order == "desc" or (not self.order and self.sort in LATEST_FIRST)

    @property
    def filters(self) -> bool:
        """Whether some submissions may be left out."""
        return bool(self.title or self.kind or self.state)

    def parameters(self, **changed: object) -> dict[str, object]:
        """As parameters of an address, without those that are as usual."""
        usual = vars(Wish())
        return {name: value for name, value in (vars(self) | changed).items() if value != usual[name]}


async def asked(
    title: Annotated[str, Query(max_length=100, description="Those with this in their title only.")] = "",
    kind: Annotated[Literal["", "toy", "counted"], Query(description="Those of this kind only.")] = "",
    state: Annotated[str, Query(max_length=20, description="A state, or `active`.")] = "",
    sort: Annotated[
        str, Query(max_length=20, description="created, finished, title, kind or state.")
    ] = "created",
    order: Annotated[
        Literal["", "asc", "desc"], Query(description="Up or down; empty: as usual for `sort`.")
    ] = "",
    page: Annotated[int, Query(ge=1, le=10_000, description="Page of the table.")] = 1,
) -> Wish:
    """The part of an address that says what is wanted of the table."""
    return Wish(title.strip(), kind, state, sort or "created", order, page)


Asked = Annotated[Wish, Depends(asked)]


class SubmissionTable(BaseModel):
    """One page of the table; `fitting` submissions fit what was asked, `total` there are."""

    total: int
    fitting: int
    page: int
    pages: int
    items: list[SubmissionSummary]


def table(session: Session, user: User, challenge: str, wish: Wish, rows: int = ROWS) -> SubmissionTable:
    """What is wanted of the submissions of the user's team in a challenge.

    Raises:
        BadInput: it cannot be sorted by that.
    """
    if wish.sort not in SORTS:
        raise BadInput("unknown_sort", f"Sort by one of {', '.join(SORTS)}.")
    teams = select(Membership.team_id).where(Membership.user_id == user.id)
    ours = select(Submission).where(Submission.team_id.in_(teams), Submission.challenge_id == challenge)
    fitting = ours.where(*_conditions(wish))
    count = _count(session, fitting)
    found = session.scalars(
        fitting.order_by(*_order(wish))
        .limit(rows)
        .offset((wish.page - 1) * rows)
        .options(
            joinedload(Submission.team),
            joinedload(Submission.challenge),
            selectinload(Submission.transitions),
        )
    ).all()
    items = [summary(session, submission, user) for submission in found]
    return SubmissionTable(
        total=_count(session, ours),
        fitting=count,
        page=wish.page,
        pages=max(1, -(-count // rows)),
        items=with_estimates(session, items),
    )


def _conditions(wish: Wish) -> list[ColumnElement[bool]]:
    conditions = []
    if wish.title:
        conditions.append(Submission.title.icontains(wish.title, autoescape=True))
    if wish.kind:
        conditions.append(Submission.kind == wish.kind)
    if wish.state:
        states = ACTIVE_STATES if wish.state == "active" else (wish.state,)
        conditions.append(Submission.state.in_(states))
    return conditions


def _order(wish: Wish) -> list[ColumnElement[Any]]:
    columns: list[Any] = [SORTS[wish.sort], Submission.created_at, Submission.id]
    first, *others = [column.desc() if wish.descends else column.asc() for column in columns]
    return [first.nulls_last(), *others]


def _count(session: Session, query: Select[Submission]) -> int:
    return session.scalars(select(func.count()).select_from(query.subquery())).one()


def to_csv(found: SubmissionTable) -> str:
    """The rows of the table."""
    header = ("id", "title", "kind", "task", "state", "handed_in", "over", "failure", "why", "minutes_left")
    return as_csv(header, [_row(item) for item in found.items])


def _row(item: SubmissionSummary) -> list[object]:
    failure, estimate = item.failure, item.estimate
    return [
        *(item.id, item.title, item.kind, item.task, item.state),
        *(moment(item.created_at), moment(item.finished_at)),
        *(failure.code if failure else None, failure.message if failure else None),
        estimate.likely if estimate else None,
    ]
