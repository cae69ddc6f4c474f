"""Handing in, the list of submissions, one submission, and the viewer of a toy case."""

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, BackgroundTasks, Depends, Form, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from backend.accounts.dependencies import CurrentUser, Identity, PlatformOf, identify
from backend.challenges import service as challenges
from backend.errors import BadInput, MoodarenaError, NotFound, NotSignedIn
from backend.intake import service as intake
from backend.intake import uploads
from backend.intake.wake import announce
from backend.models.user import User
from backend.platform import Platform
from backend.results import pictures, service, volumes
from backend.results.listing import Asked, Wish, table
from backend.results.toy_files import ToyFiles, toy_files
from backend.results.waiting import with_estimates
from backend.web import form_upload
from backend.web.cards import card
from backend.web.rendering import page, see

router = APIRouter()


@dataclass(frozen=True)
class Addresses:
    """Where the same table is seen otherwise."""

    challenge: str
    wish: Wish

    def page(self, **changed: object) -> str:
        """This page, with something of the wish changed; another filter or order begins at its first page."""
        parameters = urlencode(self.wish.parameters(**({"page": 1} | changed)))
        return f"/challenges/{self.challenge}/submissions" + (f"?{parameters}" if parameters else "")

    def sorted(self, by: str) -> str:
        """Sorted by a column; by the one that it is sorted by already, the other way round."""
        if by != self.wish.sort:
            return self.page(sort=by, order="")
        return self.page(order="asc" if self.wish.descends else "desc")

    def direction(self, by: str) -> str | None:
        """What `aria-sort` says of a column."""
        if by != self.wish.sort:
            return None
        return "descending" if self.wish.descends else "ascending"

    def api(self, form: str) -> str:
        """The same for programs."""
        parameters = {**self.wish.parameters(page=1), **({"format": form} if form == "csv" else {})}
        path = f"/api/v1/challenges/{self.challenge}/submissions"
        return path + (f"?{urlencode(parameters)}" if parameters else "")


Short = Annotated[str, Form(max_length=300)]
MIDDLE_AXIS = 2


@router.get("/challenges/{challenge}/submit")
def submit_form(challenge: str, request: Request, user: CurrentUser, platform: PlatformOf) -> Response:
    return _submit_form(challenge, request, user, platform)


def _submit_form(
    challenge: str,
    request: Request,
    user: User,
    platform: Platform,
    error: MoodarenaError | None = None,
    **typed: str,
) -> Response:
    with platform.database.read() as session:
        found = card(session, challenges.get(session, challenge), user)
        pending = uploads.pending_of(session, user, challenge)
    status = error.status if error else 200
    given = {"kind": "toy", "task": "", "title": "", "upload": ""} | typed
    return page(request, "submit.html", user, status, card=found, pending=pending, error=error, given=given)


@router.post("/uploads/form/{challenge}")
async def upload_form(
    challenge: str,
    request: Request,
    identity: Annotated[Identity | None, Depends(identify)],
    platform: PlatformOf,
) -> Response:
    # Not `CurrentUser`: it would read the whole form to find the CSRF token, which `receive` checks.
    if identity is None:
        raise NotSignedIn("not_signed_in", "Sign in first.")
    try:
        await form_upload.receive(request, platform, identity, challenge)
    except NotFound:
        raise
    except MoodarenaError as error:
        request.state.csrf = identity.csrf
        return await run_in_threadpool(_submit_form, challenge, request, identity.user, platform, error)
    return see(f"/challenges/{challenge}/submit")


@router.post("/challenges/{challenge}/uploads/{upload_id}/delete")
def delete_upload(challenge: str, upload_id: str, user: CurrentUser, platform: PlatformOf) -> Response:
    uploads.delete(platform, user, upload_id)
    return see(f"/challenges/{challenge}/submit")


@router.post("/challenges/{challenge}/submit")
def submit(
    challenge: str,
    request: Request,
    user: CurrentUser,
    platform: PlatformOf,
    background: BackgroundTasks,
    upload: Short = "",
    kind: Short = "toy",
    task: Short = "",
    title: Short = "",
) -> Response:
    try:
        with platform.database.write() as session:
            row = intake.submit(session, platform.storage, user, challenge, upload, kind, task or None, title)
    except MoodarenaError as error:
        typed = {"kind": kind, "task": task, "title": title, "upload": upload}
        return _submit_form(challenge, request, user, platform, error, **typed)
    background.add_task(announce, platform)
    return see(f"/submissions/{row.id}")


@router.post("/challenges/{challenge}/sample")
def submit_sample(
    challenge: str, request: Request, user: CurrentUser, platform: PlatformOf, background: BackgroundTasks
) -> Response:
    try:
        with platform.database.write() as session:
            row = intake.submit_sample(session, user, challenge)
    except MoodarenaError as error:
        return _submit_form(challenge, request, user, platform, error)
    background.add_task(announce, platform)
    return see(f"/submissions/{row.id}")


@router.get("/challenges/{challenge}/submissions")
def list_submissions(
    challenge: str, request: Request, user: CurrentUser, platform: PlatformOf, wish: Asked
) -> Response:
    with platform.database.read() as session:
        found = card(session, challenges.get(session, challenge), user)
        shown = table(session, user, challenge, wish)
    here = Addresses(challenge, wish)
    return page(request, "submissions.html", user, card=found, table=shown, wish=wish, at=here)


@router.get("/challenges/{challenge}/submissions/compare")
def choose_two(
    challenge: str, user: CurrentUser, id: Annotated[list[str] | None, Query()] = None
) -> Response:
    """From ticks in the table to the page that compares two, and asks for what is lacking."""
    chosen = id or []
    if len(chosen) > 2:
        raise BadInput("choose_two", f"Tick two submissions to compare; {len(chosen)} were ticked.")
    return see("/submissions/compare?" + urlencode(dict(zip("ab", chosen, strict=False))))


@router.get("/submissions/{submission}")
def show_submission(submission: str, request: Request, user: CurrentUser, platform: PlatformOf) -> Response:
    with platform.database.read() as session:
        row = service.find_submission(session, submission, user)
        (view,) = with_estimates(session, [service.submission_view(session, row, user)])
        rules = row.challenge.spec
    return page(request, "submission.html", user, view=view, rules=rules)


@router.post("/submissions/{submission}/cancel")
def cancel(submission: str, user: CurrentUser, platform: PlatformOf) -> Response:
    with platform.database.write() as session:
        intake.cancel(session, user, submission)
    return see(f"/submissions/{submission}")


@router.get("/submissions/{submission}/toy/{task}/{dataset}/{case}")
def show_case(
    submission: str,
    task: str,
    dataset: str,
    case: str,
    request: Request,
    user: CurrentUser,
    platform: PlatformOf,
    axis: int = MIDDLE_AXIS,
    slice: Annotated[int | None, Query(description="Number of the slice; the hottest if none.")] = None,
) -> Response:
    with platform.database.read() as session:
        row = service.find_submission(session, submission, user)
        view = service.submission_view(session, row, user)
        files = toy_files(session, platform.storage, row, task, dataset, case)
    number, count = pictures.slice_index(files, axis, pictures.HOTTEST if slice is None else slice)
    result = next(found for found in view.toy if (found.task, found.dataset) == (task, dataset))
    return page(
        request,
        "case.html",
        user,
        view=view,
        rules=row.challenge.spec,
        result=result,
        case=next(found for found in result.cases if found.name == case),
        layers=_layers(files),
        axis=axis,
        number=number,
        count=count,
        hottest=volumes.hottest(files),
        grid=volumes.grid_of(files.image),
    )


def _layers(files: ToyFiles) -> list[tuple[str, str]]:
    scan = [("image", "Scan")]
    if files.anomaly_map is not None:
        scan = [("overlay", "Map over scan, truth outlined"), ("image", "Scan"), ("map", "Anomaly map")]
    return [*scan, ("mask", "Truth")] if files.mask is not None else scan
