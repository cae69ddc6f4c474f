"""All pages. They call the same services as the API, and work without JavaScript."""

from fastapi import APIRouter

from backend.web import (
    account_pages,
    analysis_pages,
    board_pages,
    category_pages,
    challenge_pages,
    compare_pages,
    export_pages,
    organizer_pages,
    reveal_pages,
    settings_pages,
    submission_pages,
)

router = APIRouter(include_in_schema=False)
# `compare` comes before what takes any word for the id of a submission.
for part in (
    account_pages,
    challenge_pages,
    board_pages,
    compare_pages,
    submission_pages,
    organizer_pages,
    analysis_pages,
    category_pages,
    reveal_pages,
    settings_pages,
    export_pages,
):
    router.include_router(part.router)
