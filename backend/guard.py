"""Around every request: headers that protect the browser, a bound on bodies, and no story told of a bug."""

import logging
import secrets
from collections.abc import Awaitable, Callable

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.accounts.sessions import CSRF_COOKIE
from backend.errors import MoodarenaError
from backend.intake.streams import STREAMED

log = logging.getLogger(__name__)

BODY_LIMIT = 1 << 20
STATIC = "/static/"

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
TLS_HEADERS = {"Strict-Transport-Security": "max-age=31536000"}


class ServerFault(MoodarenaError):
    """A bug of ours: the participant gets a number to quote, the log gets the story."""

    status = 500


class Guard:
    """ASGI middleware; `render` makes the response of an error."""

    def __init__(
        self, app: ASGIApp, render: Callable[[Request, MoodarenaError], Awaitable[Response]], secure: bool
    ) -> None:
        self.app, self.render, self.secure = app, render, secure
        self.headers = HEADERS | (TLS_HEADERS if secure else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope.setdefault("state", {})
        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                self._complete(scope, MutableHeaders(scope=message))
            await send(message)

        try:
            await self.app(scope, _bounded(scope, receive), send_with_headers)
        except Exception as error:
            fault = _log_fault(scope, error)
            if started:
                raise  # the connection breaks off, so that nobody takes half an answer for a whole one
            request = Request(scope, receive)
            await (await self.render(request, fault))(scope, receive, send_with_headers)

    def _complete(self, scope: Scope, headers: MutableHeaders) -> None:
        for name, value in self.headers.items():
            headers.setdefault(name, value)
        if not scope["path"].startswith(STATIC):
            headers.setdefault("Cache-Control", "private, no-store")
        if token := scope["state"].get("csrf_cookie"):
            secure = "; Secure" if self.secure else ""
            headers.append("Set-Cookie", f"{CSRF_COOKIE}={token}; Path=/; HttpOnly; SameSite=Lax{secure}")


def _log_fault(scope: Scope, error: Exception) -> ServerFault:
    number = secrets.token_hex(6)
    log.error("fault %s: %s %s", number, scope["method"], scope["path"], exc_info=error)
    return ServerFault(
        "server_fault", f"Something failed on our side. Tell the organizers this number: {number}.", id=number
    )


def _bounded(scope: Scope, receive: Receive) -> Receive:
    received = 0

    async def receive_bounded() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > BODY_LIMIT and not scope["state"].get(STREAMED):
            raise HTTPException(413, "The request is too large.")
        return message

    return receive_bounded
