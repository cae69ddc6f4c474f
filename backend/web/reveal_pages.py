"""For organizers: the reveal of a challenge, from the preview to the publication, and back."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from backend.accounts.dependencies import Organizer, PlatformOf
from backend.challenges import service as challenges
from backend.errors import MoodarenaError
from backend.models.user import User
from backend.platform import Platform
from backend.results import reveal
from backend.results.board_view import Wish
from backend.results.reasons import reasons
from backend.web.board_pages import Addresses, has_validation
from backend.web.rendering import page, see

router = APIRouter(prefix="/organize/{challenge}/reveal")

Reason = Annotated[str, Form(max_length=2000)]
Seen = Annotated[str, Form(max_length=64)]


@router.get("")
def show_reveal(challenge: str, request: Request, user: Organizer, platform: PlatformOf) -> Response:
    return _page(challenge, request, user, platform)


@router.post("/{deed}")
def decide(
    challenge: str,
    deed: reveal.Deed,
    request: Request,
    user: Organizer,
    platform: PlatformOf,
    reason: Reason = "",
    seen: Seen = "",
) -> Response:
    try:
        with platform.database.write() as session:
            reveal.carry_out(session, challenge, deed, user, reason, seen)
    except MoodarenaError as error:
        return _page(challenge, request, user, platform, error, reason)
    return see(f"/organize/{challenge}/reveal")


def _page(
    challenge: str,
    request: Request,
    user: User,
    platform: Platform,
    error: MoodarenaError | None = None,
    reason: str = "",
) -> Response:
    with platform.database.read() as session:
        found = challenges.get(session, challenge)
        view = reveal.reveal_view(session, found)
        previews = [
            (board, reasons(board), Addresses(challenge, board.task, Wish()), has_validation(board))
            for board in reveal.previews(session, found)
        ]
        rules = found.spec
    status = error.status if error else 200
    context = {"rules": rules, "view": view, "previews": previews, "wish": Wish()}
    return page(request, "organize_reveal.html", user, status, error=error, reason=reason, **context)
