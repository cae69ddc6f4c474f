"""A submission's changes as server-sent events, without holding a database session."""

import asyncio
from collections.abc import AsyncIterator

from sse_starlette import ServerSentEvent
from starlette.concurrency import run_in_threadpool

from backend.db import Database
from backend.errors import MoodarenaError
from backend.models.submission import FINAL_STATES
from backend.models.user import User
from backend.results import service
from backend.results.schemas import SubmissionView

POLL_SECONDS = 1.0
LONGEST_SECONDS = 900.0  # then the browser connects anew, and proves itself anew


async def changes(database: Database, submission_id: str, viewer: User) -> AsyncIterator[ServerSentEvent]:
    """An event `state` now and at every change, until the submission is final. Logs are left out."""
    told = ""
    loop = asyncio.get_running_loop()
    ends = loop.time() + LONGEST_SECONDS
    while loop.time() < ends:
        try:
            view = await run_in_threadpool(_look, database, submission_id, viewer)
        except MoodarenaError:
            return  # gone, or no longer the viewer's: the next connection is told why
        text = view.model_dump_json()
        if text != told:
            told = text
            yield ServerSentEvent(data=text, event="state")
        if view.state in FINAL_STATES:
            return
        await asyncio.sleep(POLL_SECONDS)


def _look(database: Database, submission_id: str, viewer: User) -> SubmissionView:
    with database.read() as session:
        submission = service.find_submission(session, submission_id, viewer)
        view = service.submission_view(session, submission, viewer)
    for run in view.runs:
        run.log = None
    view.operator = None
    return view
