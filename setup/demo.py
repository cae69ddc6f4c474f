"""`make demo`: the whole walk at small scale, through the doors that everybody uses.

`--networks`, which is `make demo-methods`, adds the methods with neural networks, barely trained.

Builds the demo challenge from a secret, starts the platform and a worker, trains and builds reference
methods, submits them over HTTP as teams of their own, waits until the worker has scored them, prints both
leaderboards and writes them to `.demo/result.json`. Every figure comes from these runs.
"""

import argparse
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from challenges.spec import Challenge, load
from datasets import manifest
from datasets.make import Job
from datasets.seeds import Seeds
from submissions.client import Client
from submissions.responses import Submission
from submissions.saving import save
from submissions.wire import NoConnection

ROOT = Path(__file__).resolve().parent.parent
DEMO = Path(os.environ.get("MOODARENA_DEMO_DATA", ROOT / ".demo")).absolute()
CHALLENGE = ROOT / "challenges" / "demo.yaml"
TEMPLATE = "voxel_statistics"
METHODS = ("voxel_statistics", "histogram", "pca", "intensity", "random")
NETWORKS = ("cevae", "cradl", "fpi", "pii")
STEPS = 150  # of a network's training; its settings have some thousands
BOOT_SECONDS = 60

console = Console()


def main() -> int:
    started = time.monotonic()
    methods = METHODS + (NETWORKS if _options().networks else ())
    challenge = load(CHALLENGE)
    settings = _settings()
    _say("Building the challenge: training, toy and hidden scans of brain and abdomen")
    _forget_the_last_demo()
    _build_data(settings, challenge)
    _say("Training the reference methods on the training scans, and building their images")
    if _options().networks:
        _say(f"Networks are trained for {STEPS} steps only: what they score shows that they run, no more")
    for method in methods:
        _train(method)
    _open_challenge(settings, challenge)
    with _platform(settings) as url:
        submissions = [
            (client, submitted) for method in methods for client, submitted in _enter(url, challenge, method)
        ]
        _wait(url, submissions)
        result = _boards(url, challenge)
    _write(result)
    _say(f"Done in {time.monotonic() - started:.0f} s. `make serve` shows the same in a browser.")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", action="store_true", help="add the methods with neural networks")
    return parser.parse_args()


def _say(text: str) -> None:
    console.print(f"[bold]▸ {text}[/bold]")


def _settings() -> dict[str, str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return {
        **os.environ,
        "MOODARENA_DATA": str(DEMO),
        "MOODARENA_BASE_URL": f"http://127.0.0.1:{port}",
        "MOODARENA_SLOTS": os.environ.get("MOODARENA_SLOTS", "toy:cpu,test:cpu"),
        "PYTHONUNBUFFERED": "1",
    }


def _forget_the_last_demo() -> None:
    """A demo starts with an empty board and untrained; scans and secret of the last one are used again."""
    for path in DEMO.glob("moodarena.db*"):
        path.unlink()
    for name in ("blobs", "queue", "locks", "work", "incoming", "uploads", "weights"):
        shutil.rmtree(DEMO / name, ignore_errors=True)


def _run(*command: str, env: dict[str, str] | None = None) -> None:
    """Run a command that tells by itself what went wrong."""
    ended = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, env=env, check=False)
    if ended.returncode:
        raise SystemExit(f"`python -m {' '.join(command[:3])} …` failed; what it said stands above.")


def _operate(settings: dict[str, str], *arguments: str) -> None:
    _run("backend", *arguments, env=settings)


def _build_data(settings: dict[str, str], challenge: Challenge) -> None:
    secret = DEMO / "secret"
    if not secret.exists():
        DEMO.mkdir(parents=True, exist_ok=True)
        secret.touch(mode=0o600)
        secret.write_text(secrets.token_hex(32))
    _forget_other_scans(challenge, secret)
    scans = str(DEMO / "scans")
    _operate(settings, "init")
    _operate(
        settings,
        "dataset",
        "build",
        str(CHALLENGE),
        "--out",
        scans,
        "--secret-file",
        str(secret),
        "--workers",
        "2",
    )


def _forget_other_scans(challenge: Challenge, secret: Path) -> None:
    """Remove scans that another version of the generator or of the challenge made: they are built anew."""
    seeds = Seeds(secret.read_bytes().strip())
    for dataset in challenge.datasets:
        folder = DEMO / "scans" / dataset
        if not (folder / "manifest.json").exists():
            continue
        try:
            found = manifest.read(folder / "manifest.json").version
        except (OSError, ValueError):
            found = "unreadable"
        if found != Job(challenge, dataset, seeds, folder).version:
            _say(f"The scans in {folder} are of another version; they are built anew")
            shutil.rmtree(folder)


def _train(method: str) -> None:
    weights = str(DEMO / "weights" / method)
    learning = ("--data", str(DEMO / "scans"), "--out", weights, "--steps", str(STEPS))
    _run("reference_methods", "train", method, *learning)
    _run("reference_methods", "build", method, "--weights", weights)


def _open_challenge(settings: dict[str, str], challenge: Challenge) -> None:
    """Register scans, and the starter kit: a method with its weights that `docker build` takes as it is.

    Its image is the working sample.
    """
    kit = DEMO / "kit"
    shutil.rmtree(kit, ignore_errors=True)
    weights = str(DEMO / "weights" / TEMPLATE)
    _run("reference_methods", "context", TEMPLATE, "--weights", weights, "--out", str(kit))
    data = ("--data", str(DEMO / "scans"), "--kit", str(kit))
    _operate(settings, "challenge", "add", str(CHALLENGE), *data)
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "sample.tar"
        save(f"moodarena/{TEMPLATE}", archive, lambda _: None)
        title = "The starter kit's method"
        _operate(settings, "challenge", "sample", challenge.id, str(archive), "--title", title)


@contextmanager
def _platform(settings: dict[str, str]) -> Iterator[str]:
    """The platform's two processes, with their logs in the demo's folder."""
    url = settings["MOODARENA_BASE_URL"]
    port = url.rpartition(":")[2]
    logs = DEMO / "logs"
    logs.mkdir(exist_ok=True)
    with (logs / "serve.log").open("wb") as serve_log, (logs / "worker.log").open("wb") as worker_log:
        backend = [sys.executable, "-m", "backend"]
        common: dict[str, Any] = {"cwd": ROOT, "env": settings, "stderr": subprocess.STDOUT}
        processes = [
            subprocess.Popen(
                [*backend, "serve", "--host", "127.0.0.1", "--port", port], stdout=serve_log, **common
            ),
            subprocess.Popen([*backend, "worker"], stdout=worker_log, **common),
        ]
        try:
            _await_health(url, processes, logs)
            yield url
        finally:
            for process in processes:
                process.send_signal(signal.SIGTERM)
            for process in processes:
                process.wait(timeout=60)


def _await_health(url: str, processes: list[subprocess.Popen[bytes]], logs: Path) -> None:
    deadline = time.monotonic() + BOOT_SECONDS
    with Client(url) as client:
        while True:
            if any(process.poll() is not None for process in processes):
                raise SystemExit(f"The platform did not start; see the logs in {logs}.")
            try:
                client.challenges()
                return
            except NoConnection as error:
                if time.monotonic() > deadline:
                    raise SystemExit(
                        f"The platform does not answer at {url}: {error}; see {logs}."
                    ) from error
                time.sleep(0.5)


def _enter(url: str, challenge: Challenge, method: str) -> list[tuple[str, Submission]]:
    """Sign a team up and hand its image in for every task; returns its token with each submission."""
    name = method.replace("_", "-")
    password = secrets.token_urlsafe(16)
    with Client(url) as visitor:
        visitor.sign_up(name, f"{name}@example.org", password)
        token = visitor.make_token(name, password, "demo").token
    with Client(url, token) as client, tempfile.TemporaryDirectory() as folder:
        client.create_team(challenge.id, name)
        archive = Path(folder) / f"{name}.tar"
        save(f"moodarena/{method}", archive, lambda _: None)
        return [(token, _submit(client, challenge, archive, name, task)) for task in challenge.tasks]


def _submit(client: Client, challenge: Challenge, archive: Path, name: str, task: str) -> Submission:
    upload = client.upload(challenge.id, archive)
    submitted = client.submit(challenge.id, upload.id, "counted", task, f"{name} ({task})")
    console.print(f"  {submitted.title}: submission {submitted.id}", highlight=False)
    return submitted


def _wait(url: str, submissions: list[tuple[str, Submission]]) -> None:
    _say(f"The worker runs {len(submissions)} submissions in containers: toy cases first, then hidden ones")
    for token, submitted in submissions:
        with Client(url, token) as client:
            *_, ended = client.watch(submitted.id)
        console.print(f"  {ended.title}: {ended.state}", highlight=False)
        if ended.state != "ranked":
            raise SystemExit(f"{ended.title}: {ended.failure.message if ended.failure else ended.state}")


def _boards(url: str, challenge: Challenge) -> dict[str, list[dict[str, Any]]]:
    result = {}
    with Client(url) as client:
        for slug, task in challenge.tasks.items():
            board = client.leaderboard(challenge.id, slug)
            table = Table(title=f"{task.title} task", title_justify="left")
            headings = [f"{challenge.datasets[name].title} AP" for name in board.datasets]
            for heading in ("Place", "Team", *headings):
                table.add_column(heading, justify="left" if heading == "Team" else "right")
            for row in board.rows:
                figures = [row.ap.get(name) for name in board.datasets]
                table.add_row(
                    str(row.place), row.team, *("–" if ap is None else f"{ap:.3f}" for ap in figures)
                )
            console.print(table)
            result[slug] = [{"team": row.team, "place": row.place, "ap": row.ap} for row in board.rows]
    return result


def _write(result: dict[str, list[dict[str, Any]]]) -> None:
    temporary = DEMO / "result.json.new"
    temporary.write_text(json.dumps(result, indent=2) + "\n")
    temporary.replace(DEMO / "result.json")
    console.print(f"Written to {DEMO / 'result.json'}")


if __name__ == "__main__":
    sys.exit(main())
