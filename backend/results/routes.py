"""Submissions, their toy results and scoring versions over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query

from backend.accounts.dependencies import CurrentUser, OptionalUser, Organizer, PlatformOf
from backend.challenges import service as challenges
from backend.paging import After, Limit, Page
from backend.results import (
    board_routes,
    category_routes,
    comparison,
    event_routes,
    export_routes,
    hidden_routes,
    listing_routes,
    picture_routes,
    report_routes,
    reveal_routes,
    service,
    versions,
)
from backend.results.schemas import (
    Comparison,
    ScoringView,
    SubmissionSummary,
    SubmissionView,
    ToyStatistics,
)
from backend.results.toy_statistics import toy_statistics
from backend.results.waiting import with_estimates

router = APIRouter(tags=["results"])
router.include_router(picture_routes.router)
router.include_router(board_routes.router)
router.include_router(category_routes.router)
router.include_router(event_routes.router)
router.include_router(export_routes.router)
router.include_router(report_routes.router)
router.include_router(reveal_routes.router)
router.include_router(hidden_routes.router)
router.include_router(listing_routes.router)

VersionNumber = Annotated[int, Query(ge=1, le=1_000_000)]


@router.get("/submissions")
def list_submissions(
    user: CurrentUser,
    platform: PlatformOf,
    challenge: str | None = None,
    limit: Limit = 50,
    after: After = "",
    everybody: bool = False,
) -> Page[SubmissionSummary]:
    """Your team's submissions, newest first; `everybody` is for organizers."""
    with platform.database.read() as session:
        if everybody:
            return service.list_everything(session, user, challenge, limit=limit, after=after)
        found = service.list_submissions(session, user, challenge, limit, after)
        return Page(items=with_estimates(session, found.items), next=found.next)


@router.get("/submissions/{submission}")
def show_submission(submission: str, user: CurrentUser, platform: PlatformOf) -> SubmissionView:
    """One submission: states, runs, toy results, and the scores that are public."""
    with platform.database.read() as session:
        found = service.find_submission(session, submission, user)
        return with_estimates(session, [service.submission_view(session, found, user)])[0]


@router.get("/submissions/{submission}/toy/statistics")
def show_toy_statistics(submission: str, user: CurrentUser, platform: PlatformOf) -> ToyStatistics:
    """What the figures on toy cases are computed from, for their owner; `moodarena report` asks for it."""
    with platform.database.read() as session:
        return toy_statistics(session, service.find_submission(session, submission, user))


@router.get("/challenges/{challenge}/scoring-versions")
def list_scoring_versions(challenge: str, user: OptionalUser, platform: PlatformOf) -> list[ScoringView]:
    """The scoring version of the public board; all versions for organizers."""
    with platform.database.read() as session:
        return versions.visible(session, challenges.get(session, challenge).id, user)


@router.get("/challenges/{challenge}/scoring-versions/compare")
def compare_scoring_versions(
    challenge: str, task: str, old: VersionNumber, new: VersionNumber, user: Organizer, platform: PlatformOf
) -> Comparison:
    """The board under two scoring versions, and who moved. For organizers."""
    with platform.database.read() as session:
        return comparison.compare(session, challenges.get(session, challenge), task, old, new, user)
