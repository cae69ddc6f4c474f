"""The platform as an operator runs it: commands, a server process, a worker process, nothing in between."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 90


@dataclass
class Installation:
    """A data folder, and the processes that work on it until the block ends."""

    data: Path

    def __enter__(self) -> Self:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = {
            **os.environ,
            "MOODARENA_DATA": str(self.data),
            "MOODARENA_BASE_URL": self.url,
            "MOODARENA_POLL_SECONDS": "0.5",
        }
        self._open = ExitStack()
        self._processes: list[subprocess.Popen[bytes]] = []
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self._open.close()
        if error is not None:
            print(*(path.read_text(errors="replace") for path in self.data.parent.glob("*.log")), sep="\n")

    def operator(self, *words: str) -> str:
        """Run `python -m backend words…`; what it prints."""
        done = subprocess.run(
            self._command(words), cwd=ROOT, env=self._environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self, *words: str) -> None:
        """Start `python -m backend words…`, which runs until the end."""
        log = self._open.enter_context((self.data.parent / f"{words[0]}.log").open("wb"))
        self._processes.append(
            subprocess.Popen(
                self._command(words),
                cwd=ROOT,
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        )

    def serve(self) -> None:
        """Start the server, and wait until it answers."""
        self.start("serve", "--port", str(self.port))
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                assert httpx.get(f"{self.url}/api/v1/health").json()["status"] == "ok"
                return
            except httpx.TransportError:
                assert time.monotonic() < deadline, "the server does not answer"
                time.sleep(0.1)

    @staticmethod
    def _command(words: Sequence[str]) -> list[str]:
        return [sys.executable, "-m", "backend", *words]
