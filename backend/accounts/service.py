"""Accounts and API tokens."""

import re
from collections.abc import Sequence

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from backend.accounts import passwords, throttle
from backend.db import now
from backend.errors import BadInput, Conflict, NotFound, NotSignedIn
from backend.models.user import ApiToken, User, WebSession
from backend.platform import Platform

ROLES = ("participant", "organizer")
TOKEN_PREFIX = "mood_"
TOKENS_PER_USER = 50

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,39}")
_EMAIL = re.compile(r"[^@\s<>\"']{1,64}@[^@\s<>\"']{1,189}")


def sign_up(session: Session, name: str, email: str, password: str, role: str = "participant") -> User:
    """Make an account.

    Raises:
        BadInput: name, address or password cannot be used.
        Conflict: name or address are taken.
    """
    email = email.strip().lower()
    _check_person(name, email)
    _check_role(role)
    passwords.check_rules(password, name, email)
    # Before the first statement: on SQLite a writer keeps the others waiting.
    user = User(name=name, email=email, password_hash=passwords.hash_password(password), role=role)
    if session.scalar(select(User.id).where(or_(func.lower(User.name) == name.lower(), User.email == email))):
        raise Conflict("account_exists", "There is an account of this name or address already.")
    session.add(user)
    try:
        session.flush()
    except IntegrityError as error:
        raise Conflict("account_exists", "There is an account of this name or address already.") from error
    return user


def authenticate(platform: Platform, name: str, password: str, address: str) -> User:
    """The user whom a name (or mail address) and a password belong to.

    Raises:
        TooMany: too many attempts.
        NotSignedIn: they do not fit; unknown names take as long as wrong passwords.
    """
    name = name.strip()
    throttle.check_login(platform.limiter, platform.settings.login_rate, name, address)
    with platform.database.read() as session:
        user = session.scalar(
            select(User).where(or_(func.lower(User.name) == name.lower(), User.email == name.lower()))
        )
    fits = passwords.verify(user.password_hash if user else None, password)
    if user is None or not fits or not user.active:
        raise NotSignedIn("wrong_password", "Name and password do not fit together.")
    throttle.forget_login(platform.limiter, platform.settings.login_rate, name, address)
    if passwords.is_outdated(user.password_hash):
        _renew_hash(platform, user, password)
    return user


def _renew_hash(platform: Platform, user: User, password: str) -> None:
    renewed = passwords.hash_password(password)
    with platform.database.write() as session:
        session.execute(
            update(User)
            .where(User.id == user.id, User.password_hash == user.password_hash)
            .values(password_hash=renewed)
        )


def by_name(session: Session, name: str) -> User:
    """The user of this name or mail address, for operators.

    Raises:
        NotFound: nobody is called so.
    """
    lower = name.lower()
    user = session.scalar(select(User).where(or_(func.lower(User.name) == lower, User.email == lower)))
    if user is None:
        raise NotFound("no_such_user", f"Nobody is called {name}. `python -m backend user list` shows all.")
    return user


def everybody(session: Session) -> Sequence[User]:
    """All users by name."""
    return session.scalars(select(User).order_by(User.name)).all()


def set_password(session: Session, user: User, password: str) -> None:
    """Replace a password; every session ends and every token is revoked, since the old one may be known.

    Raises:
        BadInput: the password cannot be used.
    """
    passwords.check_rules(password, user.name, user.email)
    renewed = passwords.hash_password(password)
    session.execute(update(User).where(User.id == user.id).values(password_hash=renewed))
    _shut_out(session, user)


def change_password(platform: Platform, user: User, current: str, password: str, address: str) -> None:
    """Replace one's own password; every session ends and every token is revoked, as in `set_password`.

    Raises:
        TooMany: too many attempts.
        BadInput: the current password is another one, or the new one cannot be used.
    """
    try:
        authenticate(platform, user.name, current, address)
    except NotSignedIn as error:
        raise BadInput("wrong_password", "This is not your current password.") from error
    with platform.database.write() as session:
        set_password(session, user, password)


def set_role(session: Session, user: User, role: str) -> None:
    """Make somebody a participant or an organizer.

    Raises:
        BadInput: there is no such role.
    """
    _check_role(role)
    session.execute(update(User).where(User.id == user.id).values(role=role))


def set_active(session: Session, user: User, active: bool) -> None:
    """Close an account, or open it again; closing ends its sessions and revokes its tokens."""
    session.execute(update(User).where(User.id == user.id).values(active=active))
    if not active:
        _shut_out(session, user)


def _shut_out(session: Session, user: User) -> None:
    session.execute(delete(WebSession).where(WebSession.user_id == user.id))
    session.execute(
        update(ApiToken)
        .where(ApiToken.user_id == user.id, ApiToken.revoked_at.is_(None))
        .values(revoked_at=now())
    )


def issue_token(session: Session, user: User, token_name: str) -> tuple[ApiToken, str]:
    """A new API token, and its secret, which is shown this once.

    Raises:
        BadInput: the name cannot be used.
        Conflict: the user has very many tokens.
    """
    token_name = token_name.strip()
    if not 1 <= len(token_name) <= 60 or not token_name.isprintable():
        raise BadInput("token_name", "A token's name has 1 to 60 printable characters.")
    if len(tokens_of(session, user)) >= TOKENS_PER_USER:
        raise Conflict("too_many_tokens", f"You have {TOKENS_PER_USER} tokens. Revoke one first.")
    secret = passwords.new_secret(TOKEN_PREFIX)
    token = ApiToken(user_id=user.id, name=token_name, token_hash=passwords.digest(secret))
    session.add(token)
    session.flush()
    session.refresh(token)
    return token, secret


def tokens_of(session: Session, user: User) -> Sequence[ApiToken]:
    """The user's tokens that were not revoked, oldest first."""
    living = select(ApiToken).where(ApiToken.user_id == user.id, ApiToken.revoked_at.is_(None))
    return session.scalars(living.order_by(ApiToken.created_at, ApiToken.id)).all()


def revoke_token(session: Session, user: User, token_id: str) -> None:
    """End a token at once.

    Raises:
        NotFound: the user has no such token.
    """
    token = session.get(ApiToken, token_id)
    if token is None or token.user_id != user.id or token.revoked_at is not None:
        raise NotFound("no_such_token", "You have no such token.")
    session.execute(update(ApiToken).where(ApiToken.id == token.id).values(revoked_at=now()))


def _check_person(name: str, email: str) -> None:
    if not _NAME.fullmatch(name):
        raise BadInput(
            "name_invalid",
            "A name has 2 to 40 letters, digits, `.`, `-` or `_`, and begins with a letter or digit.",
        )
    if not _EMAIL.fullmatch(email):
        raise BadInput("email_invalid", "This is not a mail address.")


def _check_role(role: str) -> None:
    if role not in ROLES:
        raise BadInput("role_unknown", f"A role is one of: {', '.join(ROLES)}.")
