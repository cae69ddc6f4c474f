"""Pictures and volumes of toy cases over HTTP, for who may see the submission."""

import gzip
from typing import Literal

from fastapi import APIRouter, Request, Response

from backend.accounts.dependencies import CurrentUser, PlatformOf
from backend.models.user import User
from backend.platform import Platform
from backend.results import pictures, service, volumes
from backend.results.toy_files import ToyFiles, toy_files

router = APIRouter(prefix="/submissions/{submission}/toy/{task}/{dataset}/{case}")


@router.get("/{axis}/{index}.webp", response_class=Response)
def toy_picture(
    submission: str,
    task: str,
    dataset: str,
    case: str,
    axis: int,
    index: int | Literal["hottest"],
    user: CurrentUser,
    platform: PlatformOf,
    layer: pictures.Layer = "overlay",
) -> Response:
    """A slice of a toy case, for its owner."""
    files = _files(platform, user, submission, task, dataset, case)
    content = pictures.picture(files, axis, index, layer)
    return Response(content, media_type="image/webp", headers={"Cache-Control": "private, max-age=3600"})


@router.get("/volumes/{layer}", response_class=Response)
def toy_volume(
    submission: str,
    task: str,
    dataset: str,
    case: str,
    layer: volumes.Layer,
    request: Request,
    user: CurrentUser,
    platform: PlatformOf,
) -> Response:
    """A volume of a toy case, for its owner: a byte a voxel, x fastest, axes right, anterior and superior.

    Headers tell its shape (x,y,z), its spacing in millimetres, and where the axes of the file pointed.
    """
    files = _files(platform, user, submission, task, dataset, case)
    headers = _headers(files, layer, request)
    if headers["ETag"] == request.headers.get("If-None-Match"):
        return Response(status_code=304, headers=headers)
    content = volumes.packed(files, layer, platform.storage.scratch("views"))
    if "Content-Encoding" not in headers:
        content = gzip.decompress(content)
    return Response(content, media_type="application/octet-stream", headers=headers)


def _files(platform: Platform, user: User, submission: str, task: str, dataset: str, case: str) -> ToyFiles:
    with platform.database.read() as session:
        found = service.find_submission(session, submission, user)
        return toy_files(session, platform.storage, found, task, dataset, case)


def _headers(files: ToyFiles, layer: volumes.Layer, request: Request) -> dict[str, str]:
    # Asked anew each time, so that who signs in after somebody else sees nothing of theirs.
    grid = volumes.grid_of(files.image)
    headers = {
        "Cache-Control": "private, no-cache",
        "ETag": f'"{volumes.tag(files, layer)}"',
        "Vary": "Accept-Encoding",
        "X-Shape": ",".join(map(str, grid.shape)),
        "X-Spacing": ",".join(map(str, grid.spacing_mm)),
        "X-Stored-Orientation": grid.stored,
    }
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        packed = {"Content-Encoding": "gzip", "ETag": f'"{volumes.tag(files, layer)}-gzip"'}
        return headers | packed
    return headers
