"""The working sample of a challenge: an image of the organizers that anybody may hand in as a toy."""

from pathlib import Path

from sqlalchemy.orm import Session

from backend.audit.service import record
from backend.challenges import service as challenges
from backend.errors import BadInput, NotFound
from backend.models.sample import WorkingSample
from backend.models.user import User
from backend.storage import Storage
from submissions.archive import ArchiveLimits, ArchiveRejected
from submissions.contract import scripts_of
from submissions.image import inspect_archive


def register(
    session: Session, storage: Storage, challenge_id: str, archive: Path, title: str, actor: User
) -> WorkingSample:
    """Make an archive of `docker save` the sample of a challenge, in place of the one before.

    Raises:
        NotFound: there is no such challenge.
        BadInput: the title cannot be used, or the platform would refuse the archive.
    """
    rules = challenges.get(session, challenge_id).spec
    title = title.strip()
    if not 1 <= len(title) <= 200 or not title.isprintable():
        raise BadInput("title", "A title has 1 to 200 printable characters.")
    wanted = list(scripts_of(rules.entry, rules.tasks, rules.datasets).values())
    try:
        facts = inspect_archive(archive, ArchiveLimits.of(rules.limits), look_for=wanted)
    except ArchiveRejected as rejection:
        raise BadInput("sample_refused", f"{archive}: {rejection.message}") from rejection
    if lacking := [script for script in wanted if script not in facts.found]:
        raise BadInput("sample_incomplete", f"{archive} has no {' and no '.join(lacking)}.")
    sample = session.merge(
        WorkingSample(
            challenge_id=challenge_id,
            title=title,
            archive_sha256=storage.put_file(archive),
            archive_size=archive.stat().st_size,
        )
    )
    record(session, actor, "sample.set", challenge_id, title=title, archive=sample.archive_sha256)
    return sample


def sample_of(session: Session, challenge_id: str) -> WorkingSample | None:
    """The sample of a challenge, if it has one."""
    return session.get(WorkingSample, challenge_id)


def require(session: Session, challenge_id: str) -> WorkingSample:
    """The sample of a challenge.

    Raises:
        NotFound: there is no such challenge, or it has none.
    """
    challenges.get(session, challenge_id)
    if (sample := sample_of(session, challenge_id)) is None:
        raise NotFound("no_sample", "This challenge has no working sample. Start from its kit instead.")
    return sample
