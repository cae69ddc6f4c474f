"""Changes of submissions as they happen, over HTTP."""

from fastapi import APIRouter
from sse_starlette import EventSourceResponse

from backend.accounts.dependencies import CurrentUser, PlatformOf
from backend.challenges import service as challenges
from backend.results import service
from backend.results.events import changes, list_changes

router = APIRouter()
HEARTBEAT_SECONDS = 15


@router.get("/submissions/{submission}/events", response_class=EventSourceResponse)
def watch_submission(submission: str, user: CurrentUser, platform: PlatformOf) -> EventSourceResponse:
    """Changes of a submission as they happen: events `state`, until it is final."""
    with platform.database.read() as session:
        service.find_submission(session, submission, user)
    return EventSourceResponse(changes(platform.database, submission, user), ping=HEARTBEAT_SECONDS)


@router.get("/challenges/{challenge}/submissions/events", response_class=EventSourceResponse)
def watch_submissions(challenge: str, user: CurrentUser, platform: PlatformOf) -> EventSourceResponse:
    """Changes of your team's newest submissions as they happen: events `state`, until all are final."""
    with platform.database.read() as session:
        challenges.get(session, challenge)
    return EventSourceResponse(list_changes(platform.database, challenge, user), ping=HEARTBEAT_SECONDS)
