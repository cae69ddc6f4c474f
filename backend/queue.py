"""The wake-up call. The database holds the work; a message only says that there may be some."""

from typing import Any

from celery import Celery
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from backend.config import Settings
from backend.db import Database
from backend.models.run import Outbox

LOOK_FOR_WORK = "worker.tasks.look_for_work"
MESSAGE_SECONDS = 60


def celery_app(settings: Settings) -> Celery:
    """Celery as both ends use it: fire and forget, nothing redelivered, nothing kept."""
    app = Celery("moodarena", broker=settings.broker)
    app.conf.update(
        broker_transport_options=_transport_options(settings),
        broker_connection_retry_on_startup=True,
        task_acks_late=False,
        task_ignore_result=True,
        task_default_queue="moodarena.toy",
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=settings.broker.startswith("redis"),
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_hijack_root_logger=False,
    )
    return app


def _transport_options(settings: Settings) -> dict[str, Any]:
    if not settings.broker.startswith("filesystem"):
        return {}
    folder = settings.data.absolute() / "queue"
    for name in ("messages", "control"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    messages = str(folder / "messages")
    return {
        "data_folder_in": messages,
        "data_folder_out": messages,
        "control_folder": str(folder / "control"),
        "store_processed": False,
    }


def enqueue(session: Session, lane: str) -> None:
    """Owe a wake-up call for a lane, in the transaction that makes the work; `announce` sends it."""
    session.add(Outbox(lane=lane))


def announce(database: Database, app: Celery) -> int:
    """Send the wake-up calls that are owed, and forget them. Returns how many were owed.

    A message that is lost, or a crash in between, costs nothing but time: idle workers poll.
    """
    with database.read() as session:
        owed = session.execute(select(Outbox.id, Outbox.lane)).all()
    if not owed:
        return 0
    for lane in {row.lane for row in owed}:
        app.send_task(LOOK_FOR_WORK, args=[lane], queue=f"moodarena.{lane}", expires=MESSAGE_SECONDS)
    with database.write() as session:
        session.execute(delete(Outbox).where(Outbox.id.in_([row.id for row in owed])))
    return len(owed)
