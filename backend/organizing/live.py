"""The dashboard as it changes, as server-sent events."""

from collections.abc import AsyncIterator
from functools import partial
from hashlib import sha256

from sse_starlette import ServerSentEvent

from backend.organizing.overview import overview
from backend.organizing.schemas import Operations
from backend.platform import Platform
from backend.results.events import told

POLL_SECONDS = 3.0
AGES_EVERY = 30.0
"""How often a dashboard on which nothing happens is told, so that the times on it stay right."""


def changes(platform: Platform) -> AsyncIterator[ServerSentEvent]:
    """An event `state` now, at every change, and now and then. It holds a digest: look yourself."""
    return told(partial(_look, platform), POLL_SECONDS)


def _look(platform: Platform) -> tuple[str, bool]:
    with platform.database.read() as session:
        seen = overview(session, platform.storage, platform.settings)
    return digest(seen), False


def digest(seen: Operations) -> str:
    """The same as long as nothing happens, but for the passing of time."""
    still = {
        "at": seen.at // AGES_EVERY,
        "workers": [worker.model_copy(update={"seen_at": 0.0}) for worker in seen.workers],
        "disk": seen.disk.model_copy(update={"free": 0}),
    }
    return sha256(seen.model_copy(update=still).model_dump_json().encode()).hexdigest()
