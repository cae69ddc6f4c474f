"""The export of a challenge's results over HTTP, for organizers."""

from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from backend.accounts.dependencies import Organizer, PlatformOf
from backend.results import crate

router = APIRouter()


class Purpose(BaseModel):
    """What an export is for, in the words of whoever makes it."""

    reason: Annotated[str, Field(max_length=1000)] = ""


@router.post("/challenges/{challenge}/export", response_class=Response)
def export(challenge: str, purpose: Purpose, user: Organizer, platform: PlatformOf) -> Response:
    """All results with their provenance as a ZIP, an RO-Crate. For organizers."""
    return attached(crate.export(platform.database, challenge, user, purpose.reason))


def attached(made: crate.Crate) -> Response:
    """A crate as a download."""
    headers = {"Content-Disposition": f'attachment; filename="{made.name}"', "ETag": f'"{made.sha256}"'}
    return Response(made.content, media_type="application/zip", headers=headers)
