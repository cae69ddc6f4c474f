"""Signed in by cookie: the session, and the CSRF token that belongs to it."""

from dataclasses import dataclass

from fastapi import Response
from sqlalchemy import delete, select
from sqlalchemy.orm import Session, joinedload

from backend.accounts import passwords
from backend.config import Settings
from backend.db import now
from backend.models.user import User, WebSession

COOKIE = "moodarena_session"
CSRF_COOKIE = "moodarena_csrf"  # for forms shown before anybody signed in
DAY = 86400


@dataclass(frozen=True)
class SignedIn:
    """A new session: `secret` goes into the cookie, `csrf` into every form."""

    secret: str
    csrf: str


def open_session(session: Session, user: User, settings: Settings) -> SignedIn:
    """Remember that a browser speaks for this user, and forget sessions that are over."""
    signed_in = SignedIn(secret=passwords.new_secret(), csrf=passwords.new_secret())
    session.execute(delete(WebSession).where(WebSession.expires_at < now()))
    session.add(
        WebSession(
            token_hash=passwords.digest(signed_in.secret),
            user_id=user.id,
            csrf=signed_in.csrf,
            expires_at=now() + settings.session_days * DAY,
        )
    )
    session.flush()
    return signed_in


def find_session(session: Session, secret: str) -> WebSession | None:
    """The living session that a cookie names, its user loaded."""
    return session.scalar(
        select(WebSession)
        .join(WebSession.user)
        .where(
            WebSession.token_hash == passwords.digest(secret),
            WebSession.expires_at > now(),
            User.active.is_(True),
        )
        .options(joinedload(WebSession.user))
    )


def close_session(session: Session, secret: str) -> None:
    """Sign out."""
    session.execute(delete(WebSession).where(WebSession.token_hash == passwords.digest(secret)))


def set_cookie(response: Response, signed_in: SignedIn, settings: Settings) -> None:
    """Hand the session to the browser."""
    response.set_cookie(
        COOKIE,
        signed_in.secret,
        max_age=settings.session_days * DAY,
        httponly=True,
        samesite="lax",
        secure=settings.secure_cookies,
    )
    response.delete_cookie(CSRF_COOKIE, httponly=True, samesite="lax", secure=settings.secure_cookies)


def clear_cookie(response: Response, settings: Settings) -> None:
    """Take the session from the browser."""
    response.delete_cookie(COOKIE, httponly=True, samesite="lax", secure=settings.secure_cookies)
