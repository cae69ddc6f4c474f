"""`python -m backend doctor`: is everything here that the platform needs, and if not, what to do."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from kombu.exceptions import OperationalError
from sqlalchemy import func, select
from sqlalchemy.engine.url import make_url
from sqlalchemy.exc import SQLAlchemyError

from backend.config import Settings
from backend.db import Database, now
from backend.migrate import current_revision, newest_revision
from backend.models.challenge import Challenge
from backend.models.run import OPEN_STATES, Run, WorkerSlot
from backend.queue import celery_app
from submissions import loops
from submissions.contract import Code
from submissions.engine import Engine, EngineError

GIB = 1 << 30
ROOM = 10 * GIB
WORKER_SECONDS = 120
State = Literal["ok", "note", "wrong"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `remedy` says what to do unless it is ok."""

    about: str
    state: State
    found: str
    remedy: str = ""

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at everything in turn; nothing is changed."""
    yield check_disk(settings.data)
    yield from _of_database(settings)
    yield check_broker(settings)
    yield check_engine()
    yield check_quota()
    yield check_gpu(settings.slots)


def _of_database(settings: Settings) -> Iterator[Finding]:
    file = make_url(settings.database).database or ""
    if settings.database.startswith("sqlite") and not Path(file).is_file():  # looking would make one
        yield Finding("database", "wrong", f"{file} is not there", "run `python -m backend init`")
        return
    database = Database(settings.database)
    try:
        yield check_database(database)
        yield check_workers(database)
        yield check_runs(database)
        yield from check_promised_gpus(database)
    finally:
        database.close()


def check_promised_gpus(database: Database) -> Iterator[Finding]:
    """Challenges that promise a GPU while slots without one carry out their runs."""
    try:
        with database.read() as session:
            promising = [row.id for row in session.scalars(select(Challenge)) if row.spec.limits.gpu]
            bare = select(WorkerSlot.name).where(
                WorkerSlot.device == "cpu", WorkerSlot.seen_at > now() - WORKER_SECONDS
            )
            slots = session.scalars(bare.order_by(WorkerSlot.name)).all()
    except SQLAlchemyError:
        return  # told by check_database
    if promising and slots:
        found = f"{', '.join(promising)} promises a GPU, and {', '.join(slots)} has none"
        yield Finding("GPU promised", "note", found, "name GPUs in MOODARENA_SLOTS, or write `gpu: false`")


def check_disk(data: Path) -> Finding:
    """Whether the data folder can be written to and has room."""
    if not data.is_dir():
        return Finding("disk", "wrong", f"{data} is not there", "run `python -m backend init`")
    if not os.access(data, os.W_OK):
        return Finding("disk", "wrong", f"{data} cannot be written to", f"make {os.getuid()} its owner")
    free = shutil.disk_usage(data).free
    found = f"{free / GIB:.1f} GiB free in {data}"
    if free < ROOM:
        return Finding("disk", "wrong", found, f"free {ROOM / GIB:.0f} GiB, or move MOODARENA_DATA")
    return Finding("disk", "ok", found)


def check_database(database: Database) -> Finding:
    """Whether the database answers and has this version's tables."""
    name = database.engine.dialect.name
    try:
        current = current_revision(database)
    except SQLAlchemyError as error:
        reason = str(error).splitlines()[0]
        return Finding(
            "database", "wrong", f"{name}: {reason}", "start it, or correct MOODARENA_DATABASE_URL"
        )
    if current != newest_revision():
        found = f"{name} at revision {current or 'none'}, not {newest_revision()}"
        return Finding("database", "wrong", found, "run `python -m backend init`")
    return Finding("database", "ok", f"{name} at revision {current}")


def check_broker(settings: Settings) -> Finding:
    """Whether wake-up calls can be sent."""
    kind = settings.broker.partition(":")[0]
    if kind == "filesystem":
        return _in_folder(settings.data)
    try:
        with celery_app(settings) as app, app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0.2, timeout=3)
    except (OperationalError, OSError) as error:
        remedy = "start it, or set MOODARENA_BROKER_URL; until then workers only look by themselves"
        return Finding("broker", "wrong", f"{kind}: {error}", remedy)
    return Finding("broker", "ok", kind)


def _in_folder(data: Path) -> Finding:
    if not os.access(data, os.W_OK):
        return Finding("broker", "wrong", f"no files can be written in {data}", "see disk")
    return Finding("broker", "ok", f"files in {data}")


def check_engine() -> Finding:
    """Whether a container engine answers."""
    remedy = "run `eval $(sh setup/engine.sh)`, or set DOCKER_HOST; only workers need an engine"
    try:
        engine = Engine()
        facts = engine.facts()
    except EngineError as error:
        return Finding("engine", "wrong", str(error), remedy)
    name = "Podman" if facts.podman else "Docker"
    rootless = ", rootless" if facts.rootless else ""
    return Finding("engine", "ok", f"{name} {facts.version}{rootless}, {facts.cpus} CPUs")


def check_quota() -> Finding:
    """Whether the output quota of containers is exact."""
    if reason := loops.missing():
        return Finding(
            "output quota", "note", f"held by memory, since {reason}", "run the worker as root on Linux"
        )
    return Finding("output quota", "ok", "exact, by loop devices")


def check_gpu(slots: str) -> Finding:
    """Whether the GPUs that slots name are here."""
    wanted = {slot.partition(":")[2].strip() for slot in slots.split(",")} - {"cpu", ""}
    present = gpus()
    if missing := sorted(wanted - present.keys()):
        found = f"MOODARENA_SLOTS names {', '.join(missing)}, which nvidia-smi does not list"
        return Finding(
            "GPU", "wrong", found, "correct MOODARENA_SLOTS, or install driver and container toolkit"
        )
    if not present:
        return Finding("GPU", "ok", "none, and no slot needs one")
    idle = sorted(present.keys() - wanted)
    if idle:
        return Finding("GPU", "note", f"no slot uses {', '.join(idle)}", "name them in MOODARENA_SLOTS")
    return Finding("GPU", "ok", ", ".join(f"{name} ({uuid})" for uuid, name in present.items()))


def gpus() -> dict[str, str]:
    """Name of every NVIDIA GPU of this machine, by UUID."""
    if shutil.which("nvidia-smi") is None:
        return {}
    query = ["nvidia-smi", "--query-gpu=uuid,name", "--format=csv,noheader"]
    listed = subprocess.run(query, capture_output=True, text=True, timeout=30, check=False)
    lines = listed.stdout.splitlines() if listed.returncode == 0 else []
    return {uuid.strip(): name.strip() for uuid, _, name in (line.partition(",") for line in lines)}


def check_workers(database: Database) -> Finding:
    """Whether workers were heard of lately."""
    try:
        with database.read() as session:
            recent = select(WorkerSlot.name).where(WorkerSlot.seen_at > now() - WORKER_SECONDS)
            names = session.scalars(recent.order_by(WorkerSlot.name)).all()
    except SQLAlchemyError:
        return Finding("workers", "wrong", "the database cannot be asked", "see database")
    if not names:
        return Finding("workers", "note", "none was heard of lately", "start one: `python -m backend worker`")
    return Finding("workers", "ok", ", ".join(names))


def check_runs(database: Database) -> Finding:
    """How much work waits, and whether runs on analysis sets failed: nobody hears of those otherwise."""
    query = select(Run.stage, Run.state, func.count()).group_by(Run.stage, Run.state)
    failed = (Run.stage == "analysis", Run.state == "failed", Run.failure_code == Code.PLATFORM)
    try:
        with database.read() as session:
            counts = {(stage, state): count for stage, state, count in session.execute(query)}
            ours = session.scalars(select(func.count()).select_from(Run).where(*failed)).one()
    except SQLAlchemyError:
        return Finding("runs", "wrong", "the database cannot be asked", "see database")
    beside = sum(counts.get(("analysis", state), 0) for state in OPEN_STATES)
    all_open = sum(count for (_, state), count in counts.items() if state in OPEN_STATES)
    found = f"{all_open - beside} to do, and {beside} on analysis sets after them"
    if ours:
        found += f"; {ours} on analysis sets failed by our fault"
        return Finding("runs", "note", found, "run `python -m backend submissions analyse --challenge NAME`")
    return Finding("runs", "ok", found)
