"""Uploads that resume: bytes first, made durable, then the new offset in the database.

A server that is killed at any moment leaves an offset whose bytes are on disk; what lies beyond it is
written again. One request at a time may write to an upload, which a lock on the file sees to: the lock ends
with the process that holds it.
"""

import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from backend.accounts import teams
from backend.challenges import service as challenges
from backend.db import Database, now
from backend.errors import BadInput, Conflict, NotFound, TooLarge
from backend.models.upload import Upload
from backend.models.user import User
from backend.platform import Platform
from backend.storage import CHUNK, Storage

MAXIMUM_PATCH = 16 << 20
CHECK_SECONDS = 10.0
LOCK_PAUSE = 0.1
HOUR = 3600.0
SPARE_BYTES = 1 << 30
PENDING = ("open", "complete")


def create(
    session: Session,
    platform: Platform,
    user: User,
    challenge_id: str,
    file_name: str,
    size: int,
    sha256: str,
) -> Upload:
    """Announce an archive: its size in bytes and its SHA-256.

    Raises:
        NotFound: there is no such challenge, or the user has no team in it.
        BadInput: the archive is empty.
        TooLarge: the archive is larger than the challenge allows.
        Conflict: the user has too many unfinished uploads, or our disk is full.
    """
    limit = challenges.get(session, challenge_id).spec.limits.archive
    teams.require_team(session, challenge_id, user)
    if size < 1:
        raise BadInput("upload_empty", "The file is empty.")
    if size > limit:
        raise TooLarge("archive_too_large", f"The archive may have {limit} bytes at most.", limit=limit)
    session.scalars(select(User.id).where(User.id == user.id).with_for_update()).one()
    _check_room(session, platform, user, size)
    upload = Upload(
        user_id=user.id,
        challenge_id=challenge_id,
        file_name=file_name,
        size=size,
        sha256=sha256,
        expires_at=now() + platform.settings.upload_hours * HOUR,
    )
    session.add(upload)
    session.flush()
    session.refresh(upload)
    return upload


def _check_room(session: Session, platform: Platform, user: User, size: int) -> None:
    pending = select(func.count()).where(
        Upload.user_id == user.id, Upload.state.in_(PENDING), Upload.expires_at > now()
    )
    allowed = platform.settings.uploads_per_user
    if session.scalars(pending).one() >= allowed:
        raise Conflict(
            "too_many_uploads",
            f"You have {allowed} uploads that were not submitted. Finish or delete one first.",
        )
    if shutil.disk_usage(platform.storage.root).free < size + SPARE_BYTES:
        raise Conflict("storage_full", "The platform has no room left. The organizers have to free some.")


def get(session: Session, user: User, upload_id: str) -> Upload:
    """The user's own upload.

    Raises:
        NotFound: there is none, or it is somebody else's, or it expired.
    """
    upload = session.scalar(
        select(Upload).where(Upload.id == upload_id, Upload.user_id == user.id, Upload.expires_at > now())
    )
    if upload is None:
        raise NotFound("no_such_upload", "There is no such upload, or it expired. Start a new one.")
    return upload


def pending_of(session: Session, user: User, challenge_id: str) -> Sequence[Upload]:
    """The user's uploads that can be resumed or submitted, newest first."""
    return session.scalars(
        select(Upload)
        .where(
            Upload.user_id == user.id,
            Upload.challenge_id == challenge_id,
            Upload.state.in_(PENDING),
            Upload.expires_at > now(),
        )
        .order_by(Upload.created_at.desc())
    ).all()


def path_of(storage: Storage, upload_id: str) -> Path:
    """Where the bytes of an upload lie until it is submitted."""
    return storage.scratch("uploads") / upload_id


@contextmanager
def opened(platform: Platform, user: User, upload_id: str, wait: float = 0) -> Iterator[tuple[Upload, int]]:
    """The upload as the database has it, and a descriptor of its file that nobody else writes to.

    Raises:
        NotFound: see `get`.
        Conflict: another request writes to the upload, even after `wait` seconds.
    """
    with platform.database.read() as session:
        upload = get(session, user, upload_id)
    descriptor = os.open(path_of(platform.storage, upload_id), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not _locked(descriptor, wait):
            message = "Another request is writing to this upload. Wait for it."
            raise Conflict("upload_busy", message, offset=upload.offset)
        with platform.database.read() as session:  # again: only now nobody else moves the offset
            upload = get(session, user, upload_id)
        yield upload, descriptor
    finally:
        os.close(descriptor)


def _locked(descriptor: int, wait: float) -> bool:
    deadline = time.monotonic() + wait
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(LOCK_PAUSE)
        else:
            return True


def check_start(upload: Upload, offset: int) -> None:
    """Whether bytes may be written at `offset` now.

    Raises:
        Conflict: the upload is over, or stands at another offset.
    """
    if upload.state != "open":
        raise Conflict(
            "upload_over", f"The upload is {upload.state}.", offset=upload.offset, state=upload.state
        )
    if upload.offset != offset:
        raise Conflict(
            "wrong_offset", f"The upload stands at byte {upload.offset}. Go on there.", offset=upload.offset
        )


def advance(platform: Platform, upload: Upload, descriptor: int, received: int) -> None:
    """Make `received` further bytes count: durable on disk first, then in the database."""
    if received:
        os.fdatasync(descriptor)
        with platform.database.write() as session:
            session.execute(
                update(Upload)
                .where(Upload.id == upload.id, Upload.offset == upload.offset, Upload.state == "open")
                .values(offset=upload.offset + received)
            )
        upload.offset += received


def finish(platform: Platform, upload: Upload) -> None:
    """Check the digest of an upload that has all its bytes: it becomes complete, or rejected."""
    if upload.state != "open" or upload.offset != upload.size:
        return
    path = path_of(platform.storage, upload.id)
    upload.state = "complete" if _digest(path, upload.size) == upload.sha256 else "rejected"
    with platform.database.write() as session:
        session.execute(
            update(Upload).where(Upload.id == upload.id, Upload.state == "open").values(state=upload.state)
        )
    if upload.state == "rejected":
        path.unlink(missing_ok=True)


def _digest(path: Path, size: int) -> str:
    digest = hashlib.sha256()
    with path.open("r+b") as stream:
        stream.truncate(size)  # a request that sent too much may have left more
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def delete(platform: Platform, user: User, upload_id: str) -> None:
    """Forget an upload that was not submitted.

    Raises:
        NotFound: see `get`.
        Conflict: the upload was submitted, or is being written to.
    """
    with opened(platform, user, upload_id) as (upload, _):
        if upload.state == "used":
            raise Conflict("upload_used", "The upload was submitted. Cancel the submission instead.")
        with platform.database.write() as session:
            session.delete(upload)
        path_of(platform.storage, upload_id).unlink(missing_ok=True)


def consume(session: Session, storage: Storage, user: User, challenge_id: str, upload_id: str) -> Upload:
    """Turn a complete upload into a blob named by its digest.

    Raises:
        NotFound: see `get`.
        Conflict: the upload is not complete, or was submitted already.
    """
    upload = get(session, user, upload_id)
    if upload.challenge_id != challenge_id:
        raise Conflict("upload_elsewhere", f"The upload is for the challenge {upload.challenge_id}.")
    used = session.scalar(
        update(Upload)
        .where(Upload.id == upload.id, Upload.state == "complete")
        .values(state="used")
        .returning(Upload.id)
    )
    if used is None:
        raise Conflict(
            "upload_not_complete", f"The upload is {upload.state}, not complete.", state=upload.state
        )
    path = path_of(storage, upload_id)
    if path.exists() or not storage.has(
        upload.sha256
    ):  # absent after a commit that failed: it is a blob then
        storage.take(path, upload.sha256)
    return upload


def remove_expired(database: Database, storage: Storage) -> int:
    """Delete uploads that expired or were rejected, and files that belong to none. Returns how many files."""
    # The files before the rows: an upload that begins in between must not lose its file.
    files = list(storage.scratch("uploads").iterdir())
    pending = Upload.state.in_(PENDING)
    with database.write() as session:
        session.execute(update(Upload).where(Upload.expires_at < now(), pending).values(state="expired"))
        living = set(session.scalars(select(Upload.id).where(pending)))
    stray = [path for path in files if path.name not in living]
    for path in stray:
        path.unlink(missing_ok=True)
    return len(stray)
