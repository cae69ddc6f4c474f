"""Two submissions beside each other, with one toy case in two viewers that move together."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy.orm import Session

from backend.accounts.dependencies import CurrentUser, PlatformOf
from backend.challenges import service as challenges
from backend.errors import BadInput
from backend.models.user import User
from backend.platform import Platform
from backend.results import pictures, service, side_by_side, volumes
from backend.results.side_by_side import SideBySide
from backend.results.toy_files import ToyFiles, toy_files
from backend.web.rendering import page
from challenges import spec

router = APIRouter()

Id = Annotated[str, Query(max_length=64)]
Name = Annotated[str, Query(max_length=300)]
AXIAL = 2


@router.get("/submissions/compare")
def compare(
    request: Request,
    user: CurrentUser,
    platform: PlatformOf,
    a: Id = "",
    b: Id = "",
    task: Name = "",
    dataset: Name = "",
    case: Name = "",
    axis: int = AXIAL,
    slice: Annotated[int | None, Query(description="Number of the slice; the hottest if none.")] = None,
) -> Response:
    with platform.database.read() as session:
        if not (a and b):
            return page(request, "compare_choice.html", user, **_choice(session, user, a or b))
        try:
            both = side_by_side.compare(session, a, b, user)
        except BadInput as error:
            context = _choice(session, user, a, error)
            return page(request, "compare_choice.html", user, error.status, **context)
        rules = challenges.get(session, both.first.challenge).spec
        shown = _shown(session, platform, both, user, (task, dataset, case), axis, slice)
    return page(request, "compare.html", user, both=both, rules=rules, axis=axis, shown=shown)


def _choice(session: Session, user: User, chosen: str, error: BadInput | None = None) -> dict[str, Any]:
    """Who wants to compare, having chosen one or none."""
    first = service.find_submission(session, chosen, user) if chosen else None
    rules: spec.Challenge | None = first.challenge.spec if first else None
    offered = side_by_side.choices(session, user, first.challenge_id if first else None)
    return {"first": first, "rules": rules, "offered": offered, "error": error}


def _shown(
    session: Session,
    platform: Platform,
    both: SideBySide,
    user: User,
    asked: tuple[str, str, str],
    axis: int,
    number: int | None,
) -> dict[str, Any] | None:
    """One toy case of both, as viewers and pictures show it; None without a common one."""
    chosen = both.chosen(*asked)
    if chosen is None:
        return None
    toys, pair = chosen
    files = [
        toy_files(
            session,
            platform.storage,
            service.find_submission(session, view.id, user),
            toys.task,
            toys.dataset,
            pair.name,
        )
        for view in (both.first, both.second)
    ]
    index, count = pictures.slice_index(_hotter(*files), axis, pictures.HOTTEST if number is None else number)
    return {
        "toys": toys,
        "pair": pair,
        "has_truth": files[0].mask is not None,
        "grid": volumes.grid_of(files[0].image),
        "hottest": [volumes.hottest(each) for each in files],
        "number": index,
        "count": count,
    }


def _hotter(first: ToyFiles, second: ToyFiles) -> ToyFiles:
    """The one whose hottest slice both are shown at first: the first, if it has a map."""
    return first if first.anomaly_map is not None else second
