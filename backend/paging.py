"""Lists in pages: `?limit=&after=` in, `{"items": [...], "next": cursor or null}` out."""

from collections.abc import Callable, Iterable
from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel

Item = TypeVar("Item")
Limit = Annotated[int, Query(ge=1, le=1000, description="How many items at most.")]
After = Annotated[str, Query(max_length=300, description="`next` of the page before.")]
PageNumber = Annotated[int, Query(ge=1, le=1_000_000, description="Which page, from 1.")]


class Page(BaseModel, Generic[Item]):
    """One page of a list; `next` asks for the page after it, null on the last."""

    items: list[Item]
    next: str | None


class Sheet(BaseModel, Generic[Item]):
    """One page of a table that is sorted as somebody likes: `total` rows are on `pages` pages."""

    items: list[Item]
    total: int
    page: int
    pages: int


def page(items: Iterable[Item], key: Callable[[Item], str], limit: int, after: str) -> Page[Item]:
    """The items after a cursor, of a list that is small enough to sort in memory. Keys are unique."""
    rest = sorted((item for item in items if not after or key(item) > after), key=key)
    return Page(items=rest[:limit], next=key(rest[limit - 1]) if len(rest) > limit else None)
