"""Uploads and submissions over HTTP."""

from contextlib import ExitStack
from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Header, Request, Response
from starlette.concurrency import run_in_threadpool

from backend.accounts.dependencies import CurrentUser, PlatformOf
from backend.intake import sample_routes, schemas, service, streams, uploads
from backend.intake.wake import announce
from backend.results.schemas import SubmissionView
from backend.results.service import submission_view

router = APIRouter(tags=["intake"])
router.include_router(sample_routes.router)


@router.post("/uploads", status_code=201)
def create_upload(
    order: schemas.NewUpload, user: CurrentUser, platform: PlatformOf, response: Response
) -> schemas.UploadView:
    """Announce an archive; send its bytes with PATCH."""
    uploads.remove_expired(platform.database, platform.storage)
    with platform.database.write() as session:
        upload = uploads.create(
            session, platform, user, order.challenge, order.file_name, order.size, order.sha256
        )
    response.headers["Location"] = f"/api/v1/uploads/{upload.id}"
    return schemas.UploadView.of(upload)


@router.get("/uploads/{upload_id}")
def show_upload(upload_id: str, user: CurrentUser, platform: PlatformOf) -> schemas.UploadView:
    """Where to go on."""
    with platform.database.read() as session:
        upload = uploads.get(session, user, upload_id)
    if upload.state == "open" and upload.offset == upload.size:  # the server died before it could check
        with uploads.opened(platform, user, upload_id, wait=uploads.CHECK_SECONDS) as (upload, _):
            uploads.finish(platform, upload)
    return schemas.UploadView.of(upload)


@router.patch("/uploads/{upload_id}")
async def send_bytes(
    upload_id: str,
    request: Request,
    user: CurrentUser,
    platform: PlatformOf,
    upload_offset: Annotated[int, Header(ge=0, description="Where these bytes belong.")],
) -> schemas.UploadView:
    """Bytes of an archive, as `application/octet-stream`; the last ones have the digest checked."""
    streams.check_binary(request)
    with ExitStack() as stack:
        opened = uploads.opened(platform, user, upload_id)
        upload, descriptor = await run_in_threadpool(stack.enter_context, opened)
        uploads.check_start(upload, upload_offset)
        room = min(uploads.MAXIMUM_PATCH, upload.size - upload.offset)
        received = await streams.receive(request, room, streams.writer_at(descriptor, upload.offset))
        await run_in_threadpool(uploads.advance, platform, upload, descriptor, received)
        await run_in_threadpool(uploads.finish, platform, upload)
    return schemas.UploadView.of(upload)


@router.delete("/uploads/{upload_id}", status_code=204, response_class=Response)
def delete_upload(upload_id: str, user: CurrentUser, platform: PlatformOf) -> None:
    """Forget an upload that was not submitted."""
    uploads.delete(platform, user, upload_id)


@router.post("/submissions", status_code=201)
def submit(
    order: schemas.NewSubmission,
    user: CurrentUser,
    platform: PlatformOf,
    background: BackgroundTasks,
    response: Response,
) -> SubmissionView:
    """Hand in an image that was uploaded completely."""
    with platform.database.write() as session:
        submission = service.submit(
            session,
            platform.storage,
            user,
            order.challenge,
            order.upload,
            order.kind,
            order.task,
            order.title,
        )
        view = submission_view(session, submission, user)
    background.add_task(announce, platform)
    response.headers["Location"] = f"/api/v1/submissions/{view.id}"
    return view


@router.post("/submissions/{submission_id}/cancel")
def cancel(submission_id: str, user: CurrentUser, platform: PlatformOf) -> SubmissionView:
    """Stop a submission; it costs nothing."""
    with platform.database.write() as session:
        return submission_view(session, service.cancel(session, user, submission_id), user)
