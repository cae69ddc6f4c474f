"""Pictures of hidden cases over HTTP, for organizers, and for no cache on the way."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response

from backend.accounts.dependencies import Organizer, PlatformOf
from backend.challenges import service as challenges
from backend.results import pictures
from backend.results.hidden_files import hidden_case, hidden_files

router = APIRouter(prefix="/challenges/{challenge}/cases/{task}/{dataset}/{case}")

NO_STORE = {"Cache-Control": "private, no-store"}
SubmissionId = Annotated[
    str, Query(max_length=24, description="Whose anomaly map, if the challenge keeps them.")
]


@router.get("/{axis}/{index}.webp", response_class=Response)
def hidden_picture(
    challenge: str,
    task: str,
    dataset: str,
    case: str,
    axis: int,
    index: int | Literal["hottest"],
    user: Organizer,
    platform: PlatformOf,
    layer: pictures.Layer = "image",
    submission: SubmissionId = "",
) -> Response:
    """A slice of a hidden case, for organizers; `map` and `overlay` need the `submission`."""
    with platform.database.read() as session:
        found = challenges.get(session, challenge)
        hidden = hidden_case(session, found, task, dataset, case)
    files = hidden_files(platform.storage, found, task, dataset, hidden, submission)
    content = pictures.picture(files, axis, index, layer)
    return Response(content, media_type="image/webp", headers=NO_STORE)
