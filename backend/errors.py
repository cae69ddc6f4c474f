"""Errors that people see. Each has an HTTP status and a stable code; one handler in main.py renders them.

MoodarenaError
├── BadInput 422            what was sent cannot be used
├── NotSignedIn 401
├── Forbidden 403           signed in, but not allowed
├── NotFound 404            absent, or not yours to know of
├── Conflict 409            the state of things does not allow it
│   └── QuotaExceeded 409
├── TooLarge 413
└── TooMany 429
"""


class MoodarenaError(Exception):
    """Base of all errors that a client can cause; `message` says what was wrong and what to do."""

    status = 400

    def __init__(self, code: str, message: str, **facts: object) -> None:
        super().__init__(message)
        self.code, self.message, self.facts = code, message, facts


class BadInput(MoodarenaError):
    status = 422


class NotSignedIn(MoodarenaError):
    status = 401


class Forbidden(MoodarenaError):
    status = 403


class NotFound(MoodarenaError):
    status = 404


class Conflict(MoodarenaError):
    status = 409


class QuotaExceeded(Conflict):
    pass


class TooLarge(MoodarenaError):
    status = 413


class TooMany(MoodarenaError):
    status = 429
