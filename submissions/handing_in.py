"""From an image of the participant's to a complete upload, with bars for everything that takes long."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from challenges.spec import Challenge
from submissions import check, config, console, saving
from submissions.client import Client, sha256_of
from submissions.console import Exit, Stop, say
from submissions.contract import size_text
from submissions.responses import Submission, Upload
from submissions.wire import Refused


def inspected(challenge: Challenge, archive: Path) -> check.Inspection:
    """The archive, checked as at verification; see `check.inspect`."""
    with console.bar("Checking the archive", archive.stat().st_size) as progress:
        return check.inspect(challenge, archive, progress)


@contextmanager
def archive_of(image: str) -> Iterator[Path]:
    """The archive itself, or one saved from a local image for as long as it is needed."""
    if Path(image).is_file():
        yield Path(image)
        return
    size = saving.size_of(image)
    with tempfile.TemporaryDirectory(prefix="moodarena-") as folder:
        archive = Path(folder) / "image.tar"
        with console.bar(f"Saving {image}", size) as progress:
            saving.save(image, archive, progress)
        yield archive


def require_scripts(rules: Challenge, inspection: check.Inspection, counted: bool, task: str | None) -> None:
    """Whether the image has the entry scripts without which the platform would refuse it.

    Raises:
        Stop: a counted submission lacks its task, or the script of a dataset.
        ArchiveRejected: the image has none of the scripts.
    """
    if counted and task is None:
        tasks = " or ".join(f"--task {name}" for name in rules.tasks)
        raise Stop(Exit.USAGE, "task_missing", f"A counted submission names its task: {tasks}.")
    inspection.pairs(task)
    lacking = inspection.incomplete(rules).get(task or "", [])
    if counted and lacking:
        scripts = " and no ".join(lacking)
        message = f"A counted submission brings the scripts of all datasets; the image has no {scripts}."
        raise Stop(Exit.NOT_FINE, "script_missing", message)


@dataclass(frozen=True)
class Order:
    """What is handed in: `kind` is toy or counted; `name` is what the platform calls the file."""

    challenge: str
    kind: str
    task: str | None
    title: str
    name: str


def hand_in(client: Client, archive: Path, order: Order, resume: bool) -> Submission:
    """Upload an archive and submit it; with `resume` an upload that was cut short goes on.

    The upload is remembered until it is submitted, so that nothing is sent twice after a refusal either.
    """
    with console.bar("Computing the digest", archive.stat().st_size) as progress:
        sha256 = sha256_of(archive, progress)
    upload = _known_upload(client, order.challenge, sha256) if resume else None
    if upload is None:
        upload = client.start_upload(order.challenge, order.name, archive.stat().st_size, sha256)
        config.write_upload(client.url, order.challenge, sha256, upload.id)
    elif upload.offset:
        say(f"Going on with an upload that was cut short at {size_text(upload.offset)}.")
    with console.bar(f"Uploading {order.name}", upload.size) as progress:
        upload = client.continue_upload(upload, archive, progress)
    submission = client.submit(order.challenge, upload.id, order.kind, order.task, order.title)
    config.forget_upload(client.url, order.challenge, sha256)
    return submission


def _known_upload(client: Client, challenge: str, sha256: str) -> Upload | None:
    known = config.read_upload(client.url, challenge, sha256)
    if known is None:
        return None
    try:
        upload = client.upload_state(known)
    except Refused as refusal:
        if refusal.status != 404:
            raise
        return None
    return upload if upload.state in ("open", "complete") else None
