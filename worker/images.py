"""Images on this node, loaded from the validated archive and run by id."""

from backend.models.submission import Submission
from submissions.contract import Code, failure
from submissions.engine import LoadRefused
from submissions.image import rewrite_without_tags
from worker.bench import Bench
from worker.errors import Rejected
from worker.leases import Lease


def ensure(bench: Bench, lease: Lease, submission: Submission, image_id: str) -> None:
    """Have the image in the engine.

    Raises:
        Rejected: the engine refuses it, or makes another image of it than the archive promised.
    """
    engine = bench.engine
    if engine.image_exists(image_id):
        return
    archive = bench.work / f"{lease.job}.tar"
    try:
        rewrite_without_tags(bench.blobs.ensure(submission.archive_sha256), archive)
        loaded = engine.load(archive)
    except LoadRefused as refusal:
        raise Rejected(failure(Code.IMAGE_NOT_LOADABLE, detail=str(refusal))) from refusal
    finally:
        archive.unlink(missing_ok=True)
    if loaded != image_id:
        engine.remove_image(loaded)
        raise Rejected(
            failure(Code.IMAGE_NOT_LOADABLE, detail=f"loaded {loaded} where {image_id} was promised")
        )
