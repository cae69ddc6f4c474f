"""A slot: one place where one run at a time is carried out, on one GPU or on a share of the CPU."""

import fcntl
import hashlib
import logging
import os
import re
import socket
import threading
from pathlib import Path
from typing import IO

import numpy as np

from backend.config import Settings
from backend.intake import wake
from backend.platform import Platform
from submissions.engine import Engine
from worker import evaluation, leases
from worker.bench import Bench
from worker.blobs import Blobs
from worker.setting import SlotSpec
from worker.sweep import end_strays

log = logging.getLogger(__name__)


class SlotTaken(Exception):
    """Another process already works in this slot."""


def node_name(settings: Settings) -> str:
    """Who this node is, the same after a restart: host and storage root. Fit for the name of an image."""
    root = hashlib.sha256(str(settings.data.absolute()).encode()).hexdigest()[:8]
    host = re.sub("[^a-z0-9]+", "-", socket.gethostname().lower()).strip("-")
    return f"{host}-{root}"


class Slot:
    """Works off one lane until stopped. `wake` is what a message does; without one it polls."""

    def __init__(self, platform: Platform, engine: Engine, spec: SlotSpec) -> None:
        self.platform, self.engine, self.spec = platform, engine, spec
        self.name = f"{node_name(platform.settings)}/{spec.name}"
        self._lock = _locked(platform.settings.data / "locks" / _lock_name(spec))
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._loop, name=self.name)
        self._resumed = False
        self._bench = Bench(
            platform=platform,
            engine=engine,
            blobs=Blobs(platform.settings, platform.storage),
            slot=self.name,
            gpu=spec.gpu,
            rng=np.random.default_rng(),
            stopping=self._stopping.is_set,
        )

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        self._wake.set()

    def begin_stop(self) -> None:
        """Ask for the end. A container that runs is left to the next worker, which adopts it."""
        self._stopping.set()
        self._wake.set()

    def stop(self) -> None:
        """Ask for the end and wait for it."""
        self.begin_stop()
        self._thread.join()
        self._bench.blobs.close()
        self._lock.close()

    def _loop(self) -> None:
        while not self._stopping.is_set():
            try:
                self.look_for_work()
            except Exception:
                # A thread that ended here would leave a process that looks alive and does nothing.
                log.exception("%s: could not look for work; tries again", self.name)
            self._wake.wait(self.platform.settings.poll_seconds)
            self._wake.clear()

    def look_for_work(self) -> None:
        """Take up what a predecessor left, then carry out runs of this lane until none waits."""
        if not self._resumed:
            self._resume()
            self._resumed = True
        while not self._stopping.is_set():
            lease = self._claim()
            if lease is None:
                return
            if not evaluation.run(self._bench, lease):
                # Others may fare better with the next attempt; here, what is wrong may pass.
                self._stopping.wait(self.platform.settings.poll_seconds)

    def _resume(self) -> None:
        with self.platform.database.write() as session:
            mine = leases.reclaim(session, self.name, self.platform.settings.lease_seconds)
        for job in end_strays(self.engine, self.name, {lease.job for lease in mine}):
            log.info("%s: ended %s, whose lease had run out", self.name, job)
        for lease in mine:
            log.info("%s: takes up run %s again", self.name, lease.run_id)
            evaluation.run(self._bench, lease)

    def _claim(self) -> leases.Lease | None:
        settings = self.platform.settings
        ready = self.engine.ping()
        if not ready:
            # Runs claimed now would only use up their attempts.
            log.error("%s: the container engine does not answer; no run is taken", self.name)
        with self.platform.database.write() as session:
            leases.sign_in(session, self.name, self.spec.lane, self.spec.device)
            leases.requeue_expired(session, settings)
            lease = (
                leases.claim(session, self.spec.lane, self.name, settings.lease_seconds) if ready else None
            )
        wake.announce(self.platform)
        return lease


def _lock_name(spec: SlotSpec) -> str:
    # A GPU is locked by its UUID, whatever the slot, so that two settings cannot share it by mistake.
    return f"{spec.gpu or spec.name}.lock"


def _locked(path: Path) -> IO[str]:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = path.open("a+")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        handle.close()
        raise SlotTaken(f"{path} is locked: another worker serves this slot; stop it first") from error
    handle.truncate(0)
    handle.write(str(os.getpid()))
    handle.flush()
    return handle
