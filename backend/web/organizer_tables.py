"""The organizers' tables: where the same one is seen otherwise."""

from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlencode


class Asked(Protocol):
    """What is wanted of a table, as it stands in an address."""

    @property
    def page(self) -> int: ...

    def parameters(self, **changed: str | int) -> dict[str, str | int]:
        """As parameters of an address, without those that are as usual."""


class Ordered(Asked, Protocol):
    """The same of a table that is sorted as one likes."""

    @property
    def sort(self) -> str: ...

    @property
    def descends(self) -> bool: ...


@dataclass(frozen=True)
class Table:
    """A table at `path`, which programs find at `api`."""

    path: str
    api: str
    wish: Asked

    def at(self, **changed: str | int) -> str:
        """This view, with something changed; its first page unless another one is named."""
        return _address(self.path, self.wish.parameters(**{"page": 1, **changed}))

    def export(self, form: str) -> str:
        """Exactly this view for programs, as `json` or `csv`."""
        more: dict[str, str | int] = {"format": form} if form != "json" else {}
        return _address(self.api, self.wish.parameters() | more)

    @property
    def view(self) -> str:
        """The parameters of this view, for a way back to it."""
        return urlencode(self.wish.parameters())


@dataclass(frozen=True)
class SortedTable(Table):
    """The same, with columns that it may be sorted by."""

    wish: Ordered

    def sorted(self, by: str) -> str:
        """This view, sorted by a column; by the one that it is sorted by already, the other way round."""
        if by != self.wish.sort:
            return self.at(sort=by, order="")
        return self.at(order="asc" if self.wish.descends else "desc")

    def direction(self, by: str) -> str | None:
        """What `aria-sort` says of a column."""
        if by != self.wish.sort:
            return None
        return "descending" if self.wish.descends else "ascending"


def _address(path: str, parameters: dict[str, str | int]) -> str:
    return f"{path}?{urlencode(parameters)}" if parameters else path
