"""The one task that Celery knows: somebody says that there may be work."""

from collections.abc import Callable

_wake: list[Callable[[], None]] = []


def on_wake(wake: Callable[[], None]) -> None:
    """Name what a message wakes in this process."""
    _wake[:] = [wake]


def look_for_work(lane: str) -> None:
    """Wake this process's slot. The message carries nothing else: the database knows what to do."""
    for wake in _wake:
        wake()
