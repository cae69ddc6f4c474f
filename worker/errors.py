"""How work on a run can end other than well."""

from submissions.contract import Failure


class Rejected(Exception):
    """The submission fails, for the reason given."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.detail or failure.message)
        self.failure = failure


class Stopped(Exception):
    """Work was given up early; `reason` is a `container.Stop`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
