"""How sure the places on boards are, and what else is told of results, computed beside the runs: in a thread
that gives way to them all."""

import logging
import os
import threading

from backend.platform import Platform
from backend.results import reporting, uncertainty

log = logging.getLogger(__name__)
LOOK_SECONDS = 15.0
LEAST_PRIORITY = 19


class Statistician:
    """Looks now and then for boards that lack their intervals and, after them, for challenges that lack their
    report, and computes them one by one."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="statistician", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def begin_stop(self) -> None:
        self._stopping.set()

    def stop(self) -> None:
        """Ask for the end. What is being computed is left: another worker does it anew."""
        self.begin_stop()
        self._thread.join(timeout=5)

    def _loop(self) -> None:
        # Linux gives every thread a priority of its own, and hands it on to the threads that it starts.
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LEAST_PRIORITY)
        while not self._stopping.is_set():
            try:
                self.work_off()
            except Exception:
                # A thread that ended here would leave a worker that looks alive and never does this again.
                log.exception("intervals or a report could not be computed; they are tried again later")
            self._stopping.wait(LOOK_SECONDS)

    def work_off(self) -> int:
        """Compute what lacks; returns how many boards and reports."""
        boards = reports = 0
        while not self._stopping.is_set():
            if uncertainty.work(self.platform.database):
                boards += 1
            elif reporting.work(self.platform.database):
                reports += 1
            else:
                break
        if boards or reports:
            log.info("computed the intervals of %d boards and %d reports", boards, reports)
        return boards + reports
