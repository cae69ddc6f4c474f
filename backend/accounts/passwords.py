"""Argon2 for passwords, SHA-256 for secrets that we drew ourselves."""

import hashlib
import secrets
import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from backend.errors import BadInput

MINIMUM = 10
MAXIMUM = 1024

_hasher = PasswordHasher()
_unknown = _hasher.hash(secrets.token_hex(16))
# One hash takes 64 MiB: many log-ins at once must not take the machine's memory.
_at_once = threading.BoundedSemaphore(4)


def check_rules(password: str, name: str, email: str) -> None:
    """Refuse passwords that are too easy to guess.

    Raises:
        BadInput: the password is too short, too long, or is the name or the address.
    """
    if not MINIMUM <= len(password) <= MAXIMUM:
        raise BadInput("password_length", f"A password has {MINIMUM} to {MAXIMUM} characters.")
    if password.lower() in (name.lower(), email.lower(), email.lower().partition("@")[0]):
        raise BadInput("password_is_name", "The password must not be your name or your address.")
    if len(set(password)) < 4:
        raise BadInput("password_monotonous", "The password needs at least four different characters.")


def hash_password(password: str) -> str:
    """The Argon2id hash that is stored."""
    with _at_once:
        return _hasher.hash(password)


def verify(stored: str | None, password: str) -> bool:
    """Whether the password fits. The same work is done when there is nobody to fit it to."""
    if len(password) > MAXIMUM:
        return False
    with _at_once:
        try:
            return _hasher.verify(stored or _unknown, password) and stored is not None
        except (VerificationError, InvalidHashError):
            return False


def is_outdated(stored: str) -> bool:
    """Whether a stored hash was made with weaker settings than today's."""
    return _hasher.check_needs_rehash(stored)


def new_secret(prefix: str = "") -> str:
    """256 random bits as text."""
    return prefix + secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """What is stored of a secret of ours: its SHA-256, since 256 random bits cannot be guessed."""
    return hashlib.sha256(secret.encode()).hexdigest()
