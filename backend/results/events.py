"""Changes of submissions as server-sent events, without holding a database session."""

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial

from sse_starlette import ServerSentEvent
from starlette.concurrency import run_in_threadpool

from backend.db import Database
from backend.errors import MoodarenaError
from backend.models.submission import FINAL_STATES
from backend.models.user import User
from backend.results import service

POLL_SECONDS = 1.0
LONGEST_SECONDS = 900.0  # then the browser connects anew, and proves itself anew


def changes(database: Database, submission_id: str, viewer: User) -> AsyncIterator[ServerSentEvent]:
    """An event `state` now and at every change, until the submission is final. Logs are left out."""
    return told(partial(_look, database, submission_id, viewer))


def list_changes(database: Database, challenge: str, viewer: User) -> AsyncIterator[ServerSentEvent]:
    """The same for the newest submissions of the viewer's team, until all of them are final."""
    return told(partial(_look_at_list, database, challenge, viewer))


async def told(
    look: Callable[[], tuple[str, bool]], pause: float = POLL_SECONDS
) -> AsyncIterator[ServerSentEvent]:
    """What `look` finds, whenever it is new; it also says whether that was the end."""
    last = ""
    loop = asyncio.get_running_loop()
    ends = loop.time() + LONGEST_SECONDS
    while loop.time() < ends:
        try:
            text, over = await run_in_threadpool(look)
        except MoodarenaError:
            return  # gone, or no longer the viewer's: the next connection is told why
        if text != last:
            last = text
            yield ServerSentEvent(data=text, event="state")
        if over:
            return
        await asyncio.sleep(pause)


def _look(database: Database, submission_id: str, viewer: User) -> tuple[str, bool]:
    with database.read() as session:
        submission = service.find_submission(session, submission_id, viewer)
        view = service.submission_view(session, submission, viewer)
    for run in view.runs:
        run.log = None
    view.operator = None
    return view.model_dump_json(), view.state in FINAL_STATES


def _look_at_list(database: Database, challenge: str, viewer: User) -> tuple[str, bool]:
    with database.read() as session:
        listed = service.list_submissions(session, viewer, challenge)
    return listed.model_dump_json(), all(item.state in FINAL_STATES for item in listed.items)
