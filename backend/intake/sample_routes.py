"""The working sample of a challenge over HTTP."""

from fastapi import APIRouter, BackgroundTasks, Response
from fastapi.responses import FileResponse

from backend.accounts.dependencies import CurrentUser, PlatformOf
from backend.intake import samples, schemas, service
from backend.intake.streams import BINARY
from backend.intake.wake import announce
from backend.results.schemas import SubmissionView
from backend.results.service import submission_view
from backend.storage import Storage

router = APIRouter(prefix="/challenges/{challenge}/sample")

GZIP = b"\x1f\x8b"


@router.get("")
def show_sample(challenge: str, user: CurrentUser, platform: PlatformOf) -> schemas.SampleView:
    """An image of the organizers that works."""
    with platform.database.read() as session:
        return schemas.SampleView.of(samples.require(session, challenge))


@router.get("/archive", response_class=FileResponse)
def download_sample(challenge: str, user: CurrentUser, platform: PlatformOf) -> FileResponse:
    """Its archive, for `docker load`; ranges are served."""
    with platform.database.read() as session:
        sample = samples.require(session, challenge)
    return FileResponse(
        platform.storage.path(sample.archive_sha256),
        filename=f"{challenge}-sample.{_ending(platform.storage, sample.archive_sha256)}",
        media_type=BINARY,
        headers={"ETag": f'"{sample.archive_sha256}"', "Cache-Control": "private, no-cache"},
    )


def _ending(storage: Storage, sha256: str) -> str:
    with storage.path(sha256).open("rb") as stream:
        return "tar.gz" if stream.read(2) == GZIP else "tar"


@router.post("/submissions", status_code=201)
def submit_sample(
    challenge: str, user: CurrentUser, platform: PlatformOf, background: BackgroundTasks, response: Response
) -> SubmissionView:
    """Hand the sample in as a toy submission."""
    with platform.database.write() as session:
        view = submission_view(session, service.submit_sample(session, user, challenge), user)
    background.add_task(announce, platform)
    response.headers["Location"] = f"/api/v1/submissions/{view.id}"
    return view
