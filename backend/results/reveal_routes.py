"""The reveal over HTTP, for organizers."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from backend.accounts.dependencies import Organizer, PlatformOf
from backend.challenges import service as challenges
from backend.results import reveal
from backend.results.schemas import RevealView

router = APIRouter()


class Decision(BaseModel):
    """Why something is done; with `seen`, that of the view, only if the board is still that one."""

    reason: Annotated[str, Field(max_length=1000)]
    seen: Annotated[str, Field(max_length=64)] = ""


@router.get("/challenges/{challenge}/reveal")
def show_reveal(challenge: str, user: Organizer, platform: PlatformOf) -> RevealView:
    """Where the reveal stands, what to look at before, and what it makes public. For organizers."""
    with platform.database.read() as session:
        return reveal.reveal_view(session, challenges.get(session, challenge))


@router.post("/challenges/{challenge}/reveal/{deed}")
def decide(
    challenge: str, deed: reveal.Deed, decision: Decision, user: Organizer, platform: PlatformOf
) -> RevealView:
    """Freeze, publish, unpublish or unfreeze the board. For organizers."""
    with platform.database.write() as session:
        done = reveal.carry_out(session, challenge, deed, user, decision.reason, decision.seen)
        return reveal.reveal_view(session, done)
