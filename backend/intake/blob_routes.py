"""Files by digest for workers whose storage is not ours. Nobody else gets past the token."""

import hashlib
import os
import tempfile
from pathlib import Path

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import FileResponse
from starlette.concurrency import run_in_threadpool

from backend.accounts.dependencies import PlatformOf, worker_token
from backend.errors import BadInput, NotFound
from backend.intake import schemas, streams
from backend.storage import Storage

router = APIRouter(prefix="/blobs", tags=["workers"], dependencies=[Depends(worker_token)])

LARGEST = 4 << 30


@router.get("/{sha256}", response_class=FileResponse)
def fetch(sha256: str, platform: PlatformOf) -> FileResponse:
    """The bytes of a digest; ranges are served."""
    if not _is_digest(sha256) or not platform.storage.has(sha256):
        raise NotFound("no_such_blob", "There is nothing of this digest.")
    path = platform.storage.path(sha256)
    return FileResponse(path, media_type=streams.BINARY, headers={"ETag": f'"{sha256}"'})


@router.put("/{sha256}", status_code=201)
async def store(sha256: str, request: Request, response: Response, platform: PlatformOf) -> schemas.BlobView:
    """Keep the bytes of a digest; 200 when they are there already."""
    if not _is_digest(sha256):
        raise BadInput("digest_invalid", "A SHA-256 digest has 64 hexadecimal digits.")
    if platform.storage.has(sha256):
        response.status_code = 200
    else:
        await _receive(request, platform.storage, sha256)
    return schemas.BlobView(sha256=sha256)


async def _receive(request: Request, storage: Storage, sha256: str) -> None:
    descriptor, name = tempfile.mkstemp(dir=storage.scratch("incoming"))
    digest, write = hashlib.sha256(), streams.writer_at(descriptor, 0)

    def sink(piece: bytes) -> None:
        digest.update(piece)
        write(piece)

    try:
        await streams.receive(request, LARGEST, sink)
        if digest.hexdigest() != sha256:
            raise BadInput("digest_wrong", "The bytes are not those of the digest.", found=digest.hexdigest())
        await run_in_threadpool(os.fsync, descriptor)
        await run_in_threadpool(storage.take, Path(name), sha256)
    finally:
        os.close(descriptor)
        Path(name).unlink(missing_ok=True)


def _is_digest(text: str) -> bool:
    return len(text) == 64 and set(text) <= set("0123456789abcdef")
