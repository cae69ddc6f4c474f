"""Challenges over HTTP, and the files that participants may have."""

from fastapi import APIRouter
from fastapi.responses import FileResponse, PlainTextResponse

from backend.accounts.dependencies import CurrentUser, PlatformOf
from backend.challenges import files, schemas, service, setting_routes
from backend.paging import After, Limit, Page, page

router = APIRouter(prefix="/challenges", tags=["challenges"])
router.include_router(setting_routes.router)


@router.get("")
def list_challenges(
    platform: PlatformOf, limit: Limit = 100, after: After = ""
) -> Page[schemas.ChallengeSummary]:
    """All challenges."""
    with platform.database.read() as session:
        found = [schemas.ChallengeSummary.of(item) for item in service.everything(session)]
    return page(found, lambda challenge: challenge.id, limit, after)


@router.get("/{challenge}")
def show_challenge(challenge: str, platform: PlatformOf) -> schemas.ChallengeView:
    """One challenge: dates, tasks, the contract of a container, limits and rules."""
    with platform.database.read() as session:
        found = service.get(session, challenge)
        return schemas.ChallengeView.of_current(found, list(service.current_versions(session, challenge)))


@router.get("/{challenge}/spec", response_class=PlainTextResponse)
def show_spec(challenge: str, platform: PlatformOf) -> PlainTextResponse:
    """The challenge's YAML, as `moodarena check` reads it."""
    with platform.database.read() as session:
        text = service.public_spec(service.get(session, challenge))
    return PlainTextResponse(text, media_type="application/yaml")


@router.get("/{challenge}/files")
def list_files(
    challenge: str, user: CurrentUser, platform: PlatformOf, limit: Limit = 1000, after: After = ""
) -> Page[schemas.FileView]:
    """Training images, toy images and labels, and the starter kit."""
    with platform.database.read() as session:
        found = service.public_files(session, platform.storage, challenge)
    return page([schemas.FileView.of(file) for file in found], lambda file: file.path, limit, after)


@router.get("/{challenge}/files/{path:path}", response_class=FileResponse)
def download(challenge: str, path: str, user: CurrentUser, platform: PlatformOf) -> FileResponse:
    """One file; ranges are served, so that a download can be resumed."""
    with platform.database.read() as session:
        file = files.find(service.public_files(session, platform.storage, challenge), path)
    return FileResponse(
        platform.storage.path(file.sha256),
        filename=path.rpartition("/")[2],
        media_type="application/octet-stream",
        headers={"ETag": f'"{file.sha256}"', "Cache-Control": "private, no-cache"},
    )
