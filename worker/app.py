"""The Celery application of one slot: `celery -A worker.app worker`, started by `python -m worker`."""

import logging
import os
import signal
import threading
import time

from celery.exceptions import WorkerShutdown
from celery.signals import celeryd_after_setup, worker_shutdown, worker_shutting_down

from backend.config import Settings
from backend.platform import Platform
from backend.queue import LOOK_FOR_WORK
from submissions.engine import Engine, EngineError
from worker import tasks
from worker.setting import parse_slots
from worker.slots import Slot, SlotTaken, node_name
from worker.standings import Statistician
from worker.sweep import Janitor

log = logging.getLogger(__name__)

settings = Settings()
platform = Platform.open(settings)
app = platform.celery
app.task(name=LOOK_FOR_WORK)(tasks.look_for_work)

_open: list[Slot | Janitor | Statistician] = []


def _start(**_: object) -> None:
    try:
        _open_slot(int(os.environ["MOODARENA_SLOT"]))
    except (SlotTaken, EngineError) as error:
        # Celery only logs what its signals raise and would go on without a slot; the supervisor tries again.
        log.error("this slot cannot be served: %s", error)
        raise WorkerShutdown(1) from error


def _open_slot(index: int) -> None:
    engine = Engine(namespace=node_name(settings))
    slot = Slot(platform, engine, parse_slots(settings.slots)[index])
    if index == 0:
        janitor = Janitor(platform, engine)
        statistician = Statistician(platform)
        for part in (janitor, statistician):
            part.start()
            _open.append(part)
    tasks.on_wake(slot.wake)
    slot.start()
    _open.append(slot)
    threading.Thread(target=_follow, args=(os.getppid(),), daemon=True).start()


def _hurry(**_: object) -> None:
    for part in _open:
        part.begin_stop()


def _stop(**_: object) -> None:
    for part in _open:
        part.stop()
    platform.close()


def _follow(parent: int) -> None:
    """End with the supervisor, also when it was killed: whoever starts a new one finds the slot free."""
    while os.getppid() == parent:
        time.sleep(1)
    log.error("the supervisor is gone; stopping")
    os.kill(os.getpid(), signal.SIGTERM)


# Not `worker_ready`: the slot finds its work without a broker too.
celeryd_after_setup.connect(_start)
worker_shutting_down.connect(_hurry)
worker_shutdown.connect(_stop)
