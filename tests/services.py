"""The real servers that tests run against: started here in folders of their own, stopped when done."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self
from uuid import uuid4

import psycopg
import redis

PATIENCE_S = 30.0


class MissingProgram(RuntimeError):
    """A program that `make test` would have installed is not here; the message says how to get it."""


def program(name: str, package: str, folders: str = "/nonexistent") -> str:
    """Path of an executable, looked for on PATH and in `folders` (a glob below /).

    Raises:
        MissingProgram: with the apt command that brings it.
    """
    elsewhere = sorted(str(path / name) for path in Path("/").glob(folders.lstrip("/")))
    for candidate in (name, *reversed(elsewhere), f"/usr/sbin/{name}"):
        if found := shutil.which(candidate):
            return found
    raise MissingProgram(f"{name} is not installed; `make test` installs it, or: apt-get install {package}")


def chromium() -> str | None:
    """The system's browser, or None where only playwright's own can be used."""
    return shutil.which("chromium") or shutil.which("google-chrome")


class Server(ABC):
    """A process in a folder of its own that dies with the tests, even when they are killed."""

    interrupt = "TERM"

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="moodarena-"))
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    @abstractmethod
    def start(self) -> None:
        """Start the server, and return when it answers."""

    def stop(self) -> None:
        """Ask the server to end, and see that it has."""
        if self.process is not None:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(PATIENCE_S)
            self.kill()

    def kill(self) -> None:
        """End it as a power cut would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def _spawn(self, command: list[str], as_user: str | None, ready: Callable[[], object]) -> None:
        """Start, and wait until `ready` raises no more."""
        become = [f"--reuid={as_user}", f"--regid={as_user}", "--clear-groups"] if as_user else []
        setpriv = program("setpriv", "util-linux")
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [setpriv, *become, f"--pdeathsig={self.interrupt}", *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
            )
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                ready()
            except (OSError, redis.RedisError, psycopg.Error) as error:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.kill()
                    raise RuntimeError(f"{command[0]} did not start:\n{self.log()}") from error
                time.sleep(0.05)
            else:
                return

    def log(self) -> str:
        """What the server has said so far."""
        return (self.folder / "log").read_text(errors="replace")


class RedisServer(Server):
    """Redis on a free loopback port, the same port after every restart; it keeps nothing on disk."""

    def __init__(self) -> None:
        super().__init__()
        self.port = free_port()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        settings = ["--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--appendonly", "no"]
        command = [program("redis-server", "redis-server"), *settings, "--dir", str(self.folder)]
        self._spawn(command, None, self._ready)

    def flush(self) -> None:
        """Forget everything, as a lost Redis would."""
        with redis.Redis.from_url(self.url) as client:
            client.flushall()

    def _ready(self) -> None:
        with redis.Redis.from_url(self.url) as client:
            # Another server on this port would answer a ping as well.
            if client.info("server")["process_id"] != (self.process.pid if self.process else None):
                raise ConnectionError(f"port {self.port} belongs to somebody else")


class PostgresServer(Server):
    """PostgreSQL behind a socket in its own folder: no port, no password, nothing flushed to disk."""

    interrupt = "INT"  # PostgreSQL's "fast" shutdown; it would wait for its clients after TERM

    def __init__(self) -> None:
        super().__init__()
        self.user = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root

    @property
    def url(self) -> str:
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        """SQLAlchemy's URL of one database of this server."""
        return f"postgresql+psycopg://moodarena@/{database}?host={self.folder}"

    def start(self) -> None:
        data = self.folder / "data"
        if not data.exists():
            self._initdb(data)
        quick = ["-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off"]
        private = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={self.folder}"]
        command = [self._program("postgres"), "-D", str(data), *quick, *private, "-c", "max_connections=200"]
        self._spawn(command, self.user, self._ready)

    def new_database(self) -> str:
        """URL of an empty database that nobody else uses."""
        name = f"test_{uuid4().hex}"
        with self._connect() as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        return self.url_of(name)

    def drop_database(self, url: str) -> None:
        """Remove a database of `new_database`, whoever is still connected to it."""
        name = url.split("?")[0].rpartition("/")[2]
        with self._connect() as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(PATIENCE_S)
        super().stop()

    def _initdb(self, data: Path) -> None:
        initdb = self._program("initdb")
        if self.user:
            shutil.chown(self.folder, self.user, self.user)
        settings = ["--auth=trust", "--username=moodarena", "--encoding=UTF8", "--locale=C.UTF-8"]
        subprocess.run(
            [initdb, *settings, "--no-sync", "-D", str(data)],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            cwd=self.folder,
            user=self.user,
            group=self.user,
            extra_groups=[] if self.user else None,
        )

    def _program(self, name: str) -> str:
        return program(name, "postgresql", "/usr/lib/postgresql/*/bin")

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(f"host={self.folder} user=moodarena dbname=postgres", autocommit=True)

    def _ready(self) -> None:
        self._connect().close()


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
