"""Tidying up: what a crash left behind on this node goes at start and every hour, if ours and not needed."""

import logging
import re
import shutil
import threading
import time
from pathlib import Path

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from backend.db import now
from backend.intake.uploads import remove_expired
from backend.models.run import OPEN_STATES, Run
from backend.models.submission import ACTIVE_STATES, Submission
from backend.models.user import WebSession
from backend.platform import Platform
from submissions import sweep
from submissions.engine import LABEL, NAME_LABEL, Engine
from worker.bench import WORK
from worker.leases import Lease

log = logging.getLogger(__name__)
GRACE_SECONDS = 600
_LEFTOVER = re.compile(r"\.?(run-\d+-\d+)\.(input|kept|tar.*)")


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
                # A thread that ended here would leave a worker that looks alive and never does this again.
                log.exception("the sweep failed; the next one tries again")
            self._stopping.wait(self.platform.settings.sweep_seconds)

    def sweep(self) -> None:
        """Remove containers, volumes, loop devices, images, folders, uploads and sessions not needed."""
        with self.platform.database.read() as session:
            jobs, images = _needed_jobs(session), _needed_images(session)
        work = self.platform.storage.scratch(WORK)
        removed = sweep.sweep(self.engine, work, jobs, images)
        _remove_leftovers(work, jobs)
        with self.platform.database.write() as session:
            session.execute(delete(WebSession).where(WebSession.expires_at < now()))
        uploads = remove_expired(self.platform.database, self.platform.storage)
        log.info("swept: %s, %d uploads", removed, uploads)


def _needed_jobs(session: Session) -> set[str]:
    running = session.execute(select(Run.id, Run.token).where(Run.state == "running"))
    return {Lease(run_id, token).job for run_id, token in running}


def _needed_images(session: Session) -> set[str]:
    """Those of active submissions, and of ranked ones that analysis sets wait for."""
    to_do = select(Run.submission_id).where(Run.state.in_(OPEN_STATES))
    needed = select(Submission.image_id).where(
        or_(Submission.state.in_(ACTIVE_STATES), Submission.id.in_(to_do)), Submission.image_id.is_not(None)
    )
    return {image for image in session.scalars(needed) if image}


def _remove_leftovers(work: Path, jobs: set[str]) -> None:
    """Input folders, copies of predictions and rewritten archives of runs that nobody works on."""
    for path in work.iterdir():
        found = _LEFTOVER.fullmatch(path.name)
        if found is None or found[1] in jobs or time.time() - path.lstat().st_mtime < GRACE_SECONDS:
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def end_strays(engine: Engine, slot: str, needed: set[str]) -> list[str]:
    """Kill what a dead predecessor of this slot left running and what is not `needed`; returns the jobs.

    Its lease ran out, so the run is somebody else's: a container that goes on would only take the GPU or the
    CPU of its successor. The caller holds the slot's lock.
    """
    strays = [
        state
        for state in engine.containers()
        if state.labels.get(f"{LABEL}.slot") == slot and state.labels.get(NAME_LABEL) not in needed
    ]
    for state in strays:
        engine.remove(state.id)
    return [state.labels[NAME_LABEL] for state in strays]
