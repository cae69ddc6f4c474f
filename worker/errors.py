"""How work on a run can end other than well."""

from submissions.container import Stop
from submissions.contract import Failure


class Rejected(Exception):
    """The submission fails, for the reason given."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.detail or failure.message)
        self.failure = failure


class Stopped(Exception):
    """Work was given up early."""

    def __init__(self, reason: Stop) -> None:
        super().__init__(reason.value)
        self.reason = reason
