"""Who is asking. Use as `user: CurrentUser`, `user: OptionalUser`, `user: Organizer` in a route.

A request proves itself by `Authorization: Bearer mood_…` or by the session cookie. With a cookie, everything
but GET, HEAD and OPTIONS needs the CSRF token, in the header `X-CSRF-Token` or the form field `csrf`.
Pages put `csrf_token(request)` into their forms; a form for people who are not signed in (sign-in, sign-up)
is guarded by `Depends(anonymous_form)`.
"""

import secrets
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import select, update
from sqlalchemy.orm import Session, joinedload
from starlette.datastructures import UploadFile

from backend.accounts import passwords, sessions
from backend.db import now
from backend.errors import Forbidden, NotFound, NotSignedIn
from backend.models.user import ApiToken, User
from backend.platform import Platform

SAFE = ("GET", "HEAD", "OPTIONS")
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
USE_NOTED_EVERY = 600.0


@dataclass(frozen=True)
class Identity:
    """Who asks, and the CSRF token of their session; None when they came with an API token."""

    user: User
    csrf: str | None


def platform_of(request: Request) -> Platform:
    """The platform that the application was made with."""
    platform: Platform = request.app.state.platform
    return platform


async def _platform(request: Request) -> Platform:
    return platform_of(request)


def client_address(request: Request) -> str:
    """Where a request comes from, for throttling."""
    return request.client.host if request.client else "unknown"


def identify(request: Request) -> Identity | None:
    """Who asks, if anybody that we know."""
    platform = platform_of(request)
    if (header := request.headers.get("authorization")) is not None:
        return Identity(_user_of_token(platform, header), None)
    if not (secret := request.cookies.get(sessions.COOKIE)):
        return None
    with platform.database.read() as session:
        found = sessions.find_session(session, secret)
        return Identity(found.user, found.csrf) if found else None


def _user_of_token(platform: Platform, header: str) -> User:
    scheme, _, secret = header.partition(" ")
    with platform.database.read() as session:
        token = _living_token(session, secret.strip()) if scheme.lower() == "bearer" else None
        if token is None:
            raise NotSignedIn("token_invalid", "The API token is not known or was revoked. Log in again.")
        user, stale = token.user, _is_stale(session, token)
    if stale:
        with platform.database.write() as session:
            session.execute(update(ApiToken).where(ApiToken.id == token.id).values(last_used_at=now()))
    return user


def _living_token(session: Session, secret: str) -> ApiToken | None:
    return session.scalar(
        select(ApiToken)
        .join(ApiToken.user)
        .where(
            ApiToken.token_hash == passwords.digest(secret),
            ApiToken.revoked_at.is_(None),
            User.active.is_(True),
        )
        .options(joinedload(ApiToken.user))
    )


def _is_stale(session: Session, token: ApiToken) -> bool:
    return (
        token.last_used_at is None
        or session.scalars(select(now() - token.last_used_at > USE_NOTED_EVERY)).one()
    )


async def checked_identity(
    request: Request, identity: Annotated[Identity | None, Depends(identify)]
) -> Identity | None:
    """Like `identify`, having checked the CSRF token where one is needed."""
    if identity is not None:
        request.state.csrf = identity.csrf
        if identity.csrf is not None and request.method not in SAFE:
            await _check_csrf(request, identity.csrf)
    return identity


async def anonymous_form(request: Request) -> None:
    """Guard of forms for people who are not signed in: the form must come from our own page.

    Raises:
        Forbidden: the form's token is not the one in the browser's cookie.
    """
    await _check_csrf(request, request.cookies.get(sessions.CSRF_COOKIE, ""))


def csrf_token(request: Request) -> str:
    """The token for the forms of a page. Without a session, the response sets a cookie to compare with."""
    if token := getattr(request.state, "csrf", None):
        return str(token)
    token = request.cookies.get(sessions.CSRF_COOKIE) or secrets.token_urlsafe(32)
    request.state.csrf = request.state.csrf_cookie = token
    return token


async def _check_csrf(request: Request, expected: str) -> None:
    given = request.headers.get("x-csrf-token", "")
    if not given and request.headers.get("content-type", "").split(";")[0].strip().lower() in FORMS:
        field = (await request.form()).get("csrf", "")
        given = "" if isinstance(field, UploadFile) else field
    if not expected or not secrets.compare_digest(given.encode(), expected.encode()):
        raise Forbidden("csrf", "This form is too old or not ours. Load the page again and repeat.")


async def optional_user(identity: Annotated[Identity | None, Depends(checked_identity)]) -> User | None:
    """The signed-in user, or None."""
    return identity.user if identity else None


async def current_user(user: Annotated[User | None, Depends(optional_user)]) -> User:
    """The signed-in user.

    Raises:
        NotSignedIn: nobody is signed in.
    """
    if user is None:
        raise NotSignedIn("not_signed_in", "Sign in first, or send an API token.")
    return user


async def organizer(user: Annotated[User, Depends(current_user)]) -> User:
    """The signed-in organizer.

    Raises:
        Forbidden: the user is a participant.
    """
    if not user.is_organizer:
        raise Forbidden("organizers_only", "Only organizers may do this.")
    return user


async def worker_token(request: Request) -> None:
    """Guard of the routes for workers, which exist only when a token is configured.

    Raises:
        NotFound: no token is configured.
        NotSignedIn: the request does not carry it.
    """
    expected = platform_of(request).settings.worker_token
    if expected is None or not expected.get_secret_value():
        raise NotFound("not_found", "There is nothing here.")
    given = request.headers.get("authorization", "").encode()
    if not secrets.compare_digest(given, f"Bearer {expected.get_secret_value()}".encode()):
        raise NotSignedIn("worker_token", "The worker's token is wrong; set MOODARENA_WORKER_TOKEN.")


PlatformOf = Annotated[Platform, Depends(_platform)]
OptionalUser = Annotated[User | None, Depends(optional_user)]
CurrentUser = Annotated[User, Depends(current_user)]
Organizer = Annotated[User, Depends(organizer)]
