"""Tidying up: what a crash left behind on this node goes at start and every hour, if ours and not needed."""

import logging
import shutil
import threading
import time
from pathlib import Path

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from backend.db import now
from backend.intake.uploads import remove_expired
from backend.models.run import Run
from backend.models.submission import ACTIVE_STATES, Submission
from backend.models.user import WebSession
from backend.platform import Platform
from submissions import sweep
from submissions.engine import Engine
from worker.leases import Lease
from worker.shards import WORK, job_name

log = logging.getLogger(__name__)
FOLDER_GRACE_SECONDS = 600


class Janitor:
    """Sweeps this node at start and then every `sweep_seconds`."""

    def __init__(self, platform: Platform, engine: Engine) -> None:
        self.platform, self.engine = platform, engine
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="janitor", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def begin_stop(self) -> None:
        self._stopping.set()

    def stop(self) -> None:
        self.begin_stop()
        self._thread.join()

    def _loop(self) -> None:
        while not self._stopping.is_set():
            try:
                self.sweep()
            except Exception:
                log.exception("the sweep failed; the next one tries again")
            self._stopping.wait(self.platform.settings.sweep_seconds)

    def sweep(self) -> None:
        """Remove containers, volumes, loop devices, images, folders, uploads and sessions not needed."""
        with self.platform.database.read() as session:
            jobs, images = _needed_jobs(session), _needed_images(session)
        work = self.platform.storage.scratch(WORK)
        removed = sweep.sweep(self.engine, work, jobs, images)
        _remove_folders(work, jobs)
        with self.platform.database.write() as session:
            session.execute(delete(WebSession).where(WebSession.expires_at < now()))
        uploads = remove_expired(self.platform.database, self.platform.storage)
        log.info("swept: %s, %d uploads", removed, uploads)


def _needed_jobs(session: Session) -> set[str]:
    running = session.execute(select(Run.id, Run.token).where(Run.state == "running"))
    return {job_name(Lease(run_id, token)) for run_id, token in running}


def _needed_images(session: Session) -> set[str]:
    active = select(Submission.image_id).where(
        Submission.state.in_(ACTIVE_STATES), Submission.image_id.is_not(None)
    )
    return {image for image in session.scalars(active) if image}


def _remove_folders(work: Path, jobs: set[str]) -> None:
    for folder in work.glob("run-*.input"):
        old = time.time() - folder.stat().st_mtime > FOLDER_GRACE_SECONDS
        if folder.name.removesuffix(".input") not in jobs and old:
            shutil.rmtree(folder, ignore_errors=True)
