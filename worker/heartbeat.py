"""Keeps a lease alive beside long work, and learns from the answers whether the work is still wanted."""

import logging
import threading
import time
from types import TracebackType

from sqlalchemy.exc import SQLAlchemyError

from backend.config import Settings
from backend.db import Database
from submissions.container import Stop
from worker.leases import Lease, renew

log = logging.getLogger(__name__)


class Heartbeat:
    """While the block runs, renew the lease; `stop` says why work must end, or None."""

    def __init__(self, database: Database, lease: Lease, settings: Settings) -> None:
        self._database, self._lease, self._settings = database, lease, settings
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"lease-{lease.run_id}", daemon=True)
        self._answered = time.monotonic()
        self.stop: Stop | None = None

    def __enter__(self) -> "Heartbeat":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._ended.wait(self._settings.heartbeat_seconds):
            self._renew()

    def _renew(self) -> None:
        asked = time.monotonic()
        try:
            with self._database.write() as session:
                beat = renew(session, self._lease, self._settings.lease_seconds)
        except SQLAlchemyError as error:
            log.warning("run %s: heartbeat failed: %s", self._lease.run_id, error)
            # Nobody answered for a whole lease: by now the run may be somebody else's.
            if asked - self._answered > self._settings.lease_seconds:
                self.stop = Stop.LEASE_LOST
            return
        self._answered = asked
        if not beat.held:
            self.stop = Stop.LEASE_LOST
        elif beat.cancelled:
            self.stop = Stop.CANCELLED
