"""For organizers: submissions of all teams, and deeds for many of them: told first, done, and reported."""

from collections.abc import Sequence
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request, Response

from backend.accounts.dependencies import Organizer, PlatformOf
from backend.challenges import service as challenges
from backend.errors import BadInput, MoodarenaError
from backend.models.user import User
from backend.organizing import deeds, search
from backend.organizing.schemas import DeedName
from backend.organizing.search import Asked
from backend.platform import Platform
from backend.web.organizer_tables import SortedTable
from backend.web.rendering import page, see

router = APIRouter(prefix="/submissions")

MOST = 200
Ids = Annotated[list[str] | None, Query(alias="id", max_length=MOST)]
View = Annotated[str, Query(max_length=1000, description="Parameters of the list that one came from.")]


@router.get("")
def list_submissions(
    request: Request, user: Organizer, platform: PlatformOf, wish: Asked, check: str = ""
) -> Response:
    """All submissions that fit; with `check` all of the page are chosen."""
    with platform.database.read() as session:
        sheet, codes = search.search(session, user, wish), search.codes(session)
        known = {row.id: row.spec for row in challenges.everything(session)}
    table = SortedTable("/organize/submissions", "/api/v1/operations/submissions", wish)
    return page(
        request,
        "organize_submissions.html",
        user,
        sheet=sheet,
        codes=codes,
        known=known,
        tasks=sorted({task for rules in known.values() for task in rules.tasks}),
        states=search.STATES,
        deeds=deeds.WORDS,
        table=table,
        wish=wish,
        chosen=bool(check),
    )


@router.get("/plan")
def plan(
    request: Request, user: Organizer, platform: PlatformOf, deed: DeedName, ids: Ids = None, view: View = ""
) -> Response:
    """What would happen to which submission, and which are refused and why; asks for a reason."""
    return _plan(request, user, platform, deed, ids or [], view)


def _plan(
    request: Request,
    user: User,
    platform: Platform,
    deed: DeedName,
    ids: Sequence[str],
    view: str,
    error: MoodarenaError | None = None,
    reason: str = "",
) -> Response:
    with platform.database.read() as session:
        planned = deeds.plan(session, platform.storage, deed, ids)
    return page(
        request,
        "organize_plan.html",
        user,
        error.status if error else 200,
        deed=deed,
        word=deeds.WORDS[deed],
        meaning=deeds.MEANING[deed],
        planned=planned,
        possible=[item for item in planned if item.refused is None],
        view=view,
        error=error,
        reason=reason,
    )


@router.post("/do")
def carry_out(
    request: Request,
    user: Organizer,
    platform: PlatformOf,
    deed: Annotated[DeedName, Form()],
    ids: Annotated[list[str], Form(alias="id", max_length=MOST)],
    reason: Annotated[str, Form(max_length=5000)] = "",
    view: Annotated[str, Form(max_length=1000)] = "",
) -> Response:
    """Do it to each submission that allows it, then tell what became of each."""
    with platform.database.read() as session:
        since = deeds.last_entry(session)
    try:
        deeds.carry_out(platform, user, deed, ids, reason)
    except BadInput as error:
        return _plan(request, user, platform, deed, ids, view, error, reason)
    told = [("deed", deed), ("since", str(since)), ("view", view), *(("id", one) for one in ids)]
    return see(f"/organize/submissions/done?{urlencode(told)}")


@router.get("/done")
def done(
    request: Request,
    user: Organizer,
    platform: PlatformOf,
    deed: DeedName,
    ids: Ids = None,
    since: Annotated[int, Query(ge=0)] = 0,
    view: View = "",
) -> Response:
    """What became of each submission, read from the audit log."""
    with platform.database.read() as session:
        outcomes = deeds.report(session, platform.storage, deed, ids or [], since)
    return page(
        request, "organize_done.html", user, deed=deed, word=deeds.WORDS[deed], outcomes=outcomes, view=view
    )
