"""The platform served by a process of its own, and what a request costs it."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from urllib.parse import urlsplit

from benchmarks.measure import ROOT

PATIENCE_S = 60.0
WARM_UP = 3
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Server:
    """A running server: its address, and its process."""

    url: str
    pid: int

    def cpu_s(self) -> float:
        """CPU time that the process took since it began."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS


@dataclass(frozen=True)
class Answers:
    """What requests of one page took, one after the other on one line, and how long one is, compressed."""

    median_ms: float
    p95_ms: float
    cpu_ms: float
    kib: float


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """`python -m backend serve` on a platform's folder, with SQLite, until the block ends."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    environment = {**os.environ, "MOODARENA_DATA": str(folder), "MOODARENA_BASE_URL": url}
    with (folder / "serve.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "backend", "serve", "--port", str(port)],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            _await(url, process)
            yield Server(url, process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)


def _await(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + PATIENCE_S
    while process.poll() is None and time.monotonic() < deadline:
        line = http.client.HTTPConnection(urlsplit(url).netloc, timeout=5)
        try:
            line.request("GET", "/api/v1/health")
            if line.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.1)
        finally:
            line.close()
    raise RuntimeError("the server did not start; its log is serve.log in the platform's folder")


def ask(server: Server, path: str, cookie: str, times: int) -> Answers:
    """Ask for one page again and again, as a browser that takes gzip does.

    Raises:
        RuntimeError: the page is not there.
    """
    line = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60)
    size = [_size(line, path, cookie) for _ in range(WARM_UP)][-1]
    seconds, cpu = [], server.cpu_s()
    for _ in range(times):
        begun = time.perf_counter()
        _size(line, path, cookie)
        seconds.append(time.perf_counter() - begun)
    cpu = server.cpu_s() - cpu
    line.close()
    p95 = quantiles(seconds, n=20)[-1] if times > 1 else seconds[0]
    return Answers(1000 * median(seconds), 1000 * p95, 1000 * cpu / times, size / 1024)


def _size(line: http.client.HTTPConnection, path: str, cookie: str) -> int:
    line.request("GET", path, headers={"Accept-Encoding": "gzip", "Cookie": cookie})
    answer = line.getresponse()
    content = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{path} was answered with {answer.status}")
    return len(content)
