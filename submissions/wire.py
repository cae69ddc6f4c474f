"""HTTP with the platform's manners: typed refusals, patience with a broken line, pages of a list.

ClientError
├── NoConnection      the platform cannot be reached, or the line breaks again and again
├── Refused           the platform answered with an error of its own; carries code, message and facts
└── Damaged           what arrived, here or there, has not the digest it should have
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import httpx

DELAYS = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 30.0)
"""Seconds between tries where patience pays: about a minute and a half in all."""

_BUSY = frozenset({502, 503, 504})


class ClientError(Exception):
    """Base of what can go wrong; `str()` is a sentence for people."""


class NoConnection(ClientError):
    pass


class Damaged(ClientError):
    pass


class Refused(ClientError):
    """The platform said no. `code` is stable; `facts` holds what a program may need."""

    def __init__(self, status: int, code: str, message: str, facts: dict[str, Any]) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.facts = status, code, message, facts


class Wire:
    """The requests of one client to one platform. Reading is repeated, changes are sent once."""

    def __init__(
        self,
        url: str,
        token: str | None = None,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.url = url.rstrip("/")
        self.sleep = sleep
        try:
            self.http = httpx.Client(
                base_url=f"{self.url}/api/v1/",
                headers={"Authorization": f"Bearer {token}"} if token else {},
                timeout=httpx.Timeout(60, connect=10),
                transport=transport,
            )
        except httpx.InvalidURL as error:
            raise self.unreachable(error) from error

    def items(self, path: str, **query: str) -> Iterator[Any]:
        """The elements of a list, over all its pages."""
        after: dict[str, Any] = {}
        while True:
            page = self.get(path, params=query | after)
            yield from page["items"]
            if page.get("next") is None:
                return
            after = {"after": page["next"]}

    def get(self, path: str, **options: Any) -> Any:
        """The JSON at `path`."""
        return self.read(path, **options).json()

    def read(self, path: str, delays: Sequence[float] = DELAYS[:2], **options: Any) -> httpx.Response:
        """What is at `path`, asked for again after each of `delays` while nothing answers."""
        for delay in delays:
            try:
                return self._call("GET", path, **options)
            except NoConnection:
                self.sleep(delay)
        return self._call("GET", path, **options)

    def send(self, method: str, path: str, **options: Any) -> Any:
        """Change something, trying once; returns the JSON of the answer, None without any."""
        response = self._call(method, path, **options)
        return response.json() if response.content else None

    def _call(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            response = self.http.request(method, path, **options)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise self.unreachable(error) from error
        self.check(response)
        return response

    def check(self, response: httpx.Response) -> None:
        """Raise what an answer means, unless it is a good one."""
        if response.status_code in _BUSY:
            raise NoConnection(f"{self.url} is not ready (HTTP {response.status_code}). Try again soon.")
        if response.is_error or response.is_redirect:
            raise _refusal(response)

    def unreachable(self, error: Exception) -> NoConnection:
        """What to say when nothing answers."""
        return NoConnection(
            f"No connection to {self.url} ({error or type(error).__name__}). Is the address right?"
        )


def _refusal(response: httpx.Response) -> Refused:
    try:
        error = json.loads(response.read())["error"]
        return Refused(response.status_code, error["code"], error["message"], error.get("facts") or {})
    except (ValueError, KeyError, TypeError):
        status = response.status_code
        message = f"HTTP {status} without a word of moodarena's. Is {response.url.host} the right address?"
        return Refused(status, f"http_{status}", message, {})
