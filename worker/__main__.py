"""`python -m worker`: one Celery process per slot, started again when one dies."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time

from backend.config import Settings
from worker.setting import SlotSpec, parse_slots

log = logging.getLogger("worker")
RESTART_SECONDS = 2


def main() -> int:
    """Run until told to stop by SIGTERM or SIGINT."""
    logging.basicConfig(level="INFO", format="%(asctime)s %(name)s %(message)s")
    slots = parse_slots(Settings().slots)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    processes = {index: _start(index, slot) for index, slot in enumerate(slots)}
    while not stopping.wait(0.5):
        for index, process in processes.items():
            if process.poll() is not None:
                log.error("slot %s ended with %s; starting it again", slots[index].name, process.returncode)
                time.sleep(RESTART_SECONDS)
                processes[index] = _start(index, slots[index])
    for process in processes.values():
        process.terminate()
    return max((process.wait() for process in processes.values()), default=0)


def _start(index: int, slot: SlotSpec) -> subprocess.Popen[bytes]:
    command = [
        sys.executable,
        "-m",
        "celery",
        "-A",
        "worker.app",
        "worker",
        "--pool",
        "solo",
        "--loglevel",
        "INFO",
    ]
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    names = ["-Q", f"moodarena.{slot.lane}", "-n", f"{slot.name}@%h"]
    return subprocess.Popen(
        [*command, *quiet, *names], env={**os.environ, "MOODARENA_SLOT": str(index)}, start_new_session=True
    )


if __name__ == "__main__":
    sys.exit(main())
