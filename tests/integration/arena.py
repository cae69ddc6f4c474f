"""A small platform with real worker processes and real containers, for tests of the whole walk.

Images are shell scripts on busybox: they take a second and say exactly what they do.
"""

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from pydantic import SecretStr
from sqlalchemy import select

from backend import migrate
from backend.accounts import service as accounts
from backend.accounts import teams
from backend.challenges import service as challenges
from backend.config import Settings
from backend.intake import service as intake
from backend.models.base import Base
from backend.models.challenge import Challenge, DatasetVersion
from backend.models.run import Run
from backend.models.submission import Submission
from backend.models.upload import Upload
from backend.models.user import User
from backend.platform import Platform
from backend.results import versions
from submissions.engine import NAME_LABEL, Engine
from submissions.sweep import sweep
from tests.images import busybox
from worker.bench import WORK
from worker.slots import node_name

ROOT = Path(__file__).parents[2]
PASSWORD = "correct horse battery"
PATIENCE_SECONDS = 120

EACH = 'set -e; for file in "$1"/*; do name=${file##*/}; '
SAMPLE = EACH + 'echo 0.5 > "$2/$name.txt"; done\n'
PIXEL = EACH + 'cp "$file" "$2/$name"; done\n'
ONLY_HIDDEN = 'case "$(ls "$1")" in *toy_*) hidden=;; *) hidden=yes;; esac\n'


def spec_text(**changes: Any) -> str:
    """`demo.yaml` at 16 voxels a side and with few cases; `changes` replace the values of whole lines."""
    values = {
        "shape": "[16, 16, 16]",
        "training": "2",
        "test": "{sample: 6, pixel: 4}",
        "cases_per_container": "3",
        "batch_size": "2",
        "memory": "67_108_864",
        "output_per_case": "262_144",
        "local": "[textured-lesion, poisson-patch, local-shuffle]",  # what can be seen at this size
        "global": "[slice-dropout, blur]",
        **{key: str(value) for key, value in changes.items()},
    }
    lines = (ROOT / "challenges" / "demo.yaml").read_text(encoding="utf-8").splitlines()
    return "\n".join(_changed(line, values) for line in lines) + "\n"


def analysed_spec_text(**changes: Any) -> str:
    """`spec_text` with a few analysis cases of every sort, 17 a dataset."""
    sets = "{proxy: {abnormal: 1, normal: 1}, size-series: {radius: 4, steps: 2}, "
    sets += "contrast-series: {radius: 4, step: 0.5}, equal-counts: {per_kind: 1}}"
    return spec_text(abnormal_share=f"0.5\n    analysis: {sets}", **changes)


def _changed(line: str, values: Mapping[str, str]) -> str:
    indent, key = len(line) - len(line.lstrip()), line.strip().partition(":")[0]
    return f"{' ' * indent}{key}: {values[key]}" if key in values else line


@dataclass
class Arena:
    """A platform in a folder, a team in the challenge `demo`, and workers that a test starts and kills."""

    folder: Path
    scans: Path
    database_url: str = ""
    broker_url: str = ""
    spec: str = field(default_factory=spec_text)
    more: dict[str, Any] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self.settings = Settings(
            data=self.folder / "platform",
            database_url=self.database_url,
            broker_url=self.broker_url,
            worker_token=SecretStr(secrets.token_hex(16)),
            lease_seconds=5,
            heartbeat_seconds=0.5,
            poll_seconds=0.2,
            **self.more,
        )
        self.platform = Platform.open(self.settings)
        migrate.upgrade(self.settings.database)
        self._stack = ExitStack()
        self._workers: list[subprocess.Popen[bytes]] = []
        self._roots: set[Path] = set()
        with self.platform.database.write() as session:
            challenges.register(session, self.platform.storage, self.spec, self.scans)
            self.user = accounts.sign_up(session, "anna", "anna@example.org", PASSWORD)
            self.team = teams.create(session, "demo", self.user, "team")
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for worker in self._workers:
            self.kill(worker)
        for root in self._roots:
            _leave_nothing(root)
        if error is not None:
            print(self.log())
        self._stack.close()
        self.platform.close()

    def variant(self, challenge: str, **changes: Any) -> None:
        """A further challenge on the same cases, with a team of its own; `changes` as for `spec_text`."""
        text = spec_text(id=challenge, **changes)
        with self.platform.database.write() as session:
            session.add(Challenge(id=challenge, title=challenge, spec_text=text))
            session.flush()
            for row in session.scalars(select(DatasetVersion).filter_by(challenge_id="demo")).all():
                copy = {"name": row.name, "version": row.version, "manifest_text": row.manifest_text}
                session.add(DatasetVersion(challenge_id=challenge, **copy))
            versions.register(session, session.get_one(Challenge, challenge))
            teams.create(session, challenge, session.get_one(User, self.user.id), "team")

    # --- handing in ---

    def submit(
        self,
        scripts: Mapping[str, str],
        kind: str = "counted",
        task: str | None = "sample",
        challenge: str = "demo",
        more: Mapping[str, bytes] | None = None,
        config: Mapping[str, object] | None = None,
    ) -> str:
        """Hand in a busybox image with these scripts (path in `/workspace` to text); returns the id.

        `more` are further files of the image, by path.
        """
        files = {f"workspace/{path}": f"#!/bin/sh\n{text}".encode() for path, text in scripts.items()}
        files |= more or {}
        archive = self.folder / "archive.tar"
        busybox.write_archive(archive, f"image-{secrets.token_hex(4)}", files, config=config)
        digest = self.platform.storage.put_file(archive)
        with self.platform.database.write() as session:
            user = session.get_one(User, self.user.id)
            upload = Upload(
                user_id=user.id,
                challenge_id=challenge,
                file_name="archive.tar",
                size=archive.stat().st_size,
                sha256=digest,
                state="complete",
                expires_at=2e10,
            )
            session.add(upload)
            session.flush()
            storage = self.platform.storage
            made = intake.submit(session, storage, user, challenge, upload.id, kind, task, "image")
        self.platform.announce()
        return made.id

    def cancel(self, submission: str) -> None:
        with self.platform.database.write() as session:
            intake.cancel(session, session.get_one(User, self.user.id), submission)
        self.platform.announce()

    # --- workers ---

    def worker(self, data: Path | None = None, **more: str) -> subprocess.Popen[bytes]:
        """Start `python -m worker` in a session of its own, on this platform's database and broker."""
        settings = self.settings
        self._roots.add(data or settings.data)
        environment = {
            **os.environ,
            "MOODARENA_DATA": str(data or settings.data),
            "MOODARENA_DATABASE_URL": settings.database,
            "MOODARENA_BROKER_URL": settings.broker_url,
            "MOODARENA_WORKER_TOKEN": settings.worker_token.get_secret_value()
            if settings.worker_token
            else "",
            "MOODARENA_LEASE_SECONDS": str(settings.lease_seconds),
            "MOODARENA_HEARTBEAT_SECONDS": str(settings.heartbeat_seconds),
            "MOODARENA_POLL_SECONDS": str(settings.poll_seconds),
            **more,
        }
        log: IO[bytes] = self._stack.enter_context(
            (self.folder / f"worker-{len(self._workers)}.log").open("wb")
        )
        process = subprocess.Popen(
            [sys.executable, "-m", "worker"],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        self._workers.append(process)
        return process

    def kill(self, worker: subprocess.Popen[bytes]) -> None:
        """SIGKILL to the supervisor and all of its slots at once."""
        if worker.poll() is None:
            for process in [*children(worker.pid), worker.pid]:
                _signal(process, signal.SIGKILL)
        worker.wait(timeout=90)

    def log(self) -> str:
        """What all workers said."""
        return "\n".join(
            path.read_text(errors="replace") for path in sorted(self.folder.glob("worker-*.log"))
        )

    # --- looking ---

    def submission(self, submission: str) -> Submission:
        with self.platform.database.read() as session:
            return session.get_one(Submission, submission)

    def rows(self, table: type[Base], **conditions: object) -> list[Any]:
        with self.platform.database.read() as session:
            return list(session.scalars(select(table).filter_by(**conditions)))

    def jobs(self) -> set[str]:
        """Names of the jobs, like run-7-1, of which there are containers on this platform's own node."""
        states = Engine(namespace=node_name(self.settings)).containers()
        return {state.labels[NAME_LABEL] for state in states}

    def has_container(self, run: Run) -> bool:
        """Whether this platform's own node has a container of a run, dead or alive."""
        return any(job.startswith(f"run-{run.id}-") for job in self.jobs())

    def final(self, submission: str) -> Submission:
        """Wait until the submission is over."""
        self.until(lambda: self.submission(submission).is_final, f"submission {submission} to end")
        return self.submission(submission)

    def until(self, true: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not true():
            assert time.monotonic() < deadline, f"waited in vain for {what}\n{self.log()}"
            time.sleep(0.05)

    def until_running(self, submission: str, stage: str) -> Run:
        """Wait until a container of this stage is being run."""

        def running() -> list[Run]:
            return self.rows(Run, submission_id=submission, stage=stage, state="running")

        self.until(lambda: bool(running()) or self.submission(submission).is_final, f"a {stage} run")
        runs = running()
        assert runs, (
            f"the submission ended before its {stage} run: {self.submission(submission).failure_detail}"
        )
        return runs[0]


def _leave_nothing(root: Path) -> None:
    """What killed workers left is removed at once; theirs would be by the next sweep, which never comes."""
    engine = Engine(namespace=node_name(Settings(data=root)))
    sweep(engine, root / WORK, needed=(), needed_images=(), young=timedelta(0))


def children(process: int) -> list[int]:
    """Ids of the direct children of a process."""
    told = Path(f"/proc/{process}/task/{process}/children")
    return [int(child) for child in told.read_text().split()] if told.exists() else []


def _signal(process: int, number: signal.Signals) -> None:
    try:
        os.kill(process, number)
    except ProcessLookupError:
        return


def all_scripts(sample: str = SAMPLE, pixel: str = PIXEL) -> dict[str, str]:
    """The four scripts of the contract."""
    texts = {"sample": sample, "pixel": pixel}
    return {f"run_{task}_{dataset}.sh": texts[task] for task in texts for dataset in ("brain", "abdom")}
