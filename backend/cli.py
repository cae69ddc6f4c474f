"""`python -m backend`: everything that an operator does."""

import logging
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Annotated

import typer
import uvicorn

from backend.commands import (
    board,
    challenges,
    console,
    doctor,
    export,
    log,
    report,
    samples,
    scoring,
    submissions,
    teams,
    users,
)
from backend.commands.console import Json
from backend.config import Settings
from backend.errors import MoodarenaError
from backend.main import create_app
from backend.migrate import newest_revision, upgrade

challenges.challenges.command("sample")(samples.set_sample)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Run a moodarena platform.",
)
app.add_typer(users.app, name="user")
app.add_typer(teams.app, name="teams")
app.add_typer(challenges.challenges, name="challenge")
app.add_typer(challenges.datasets, name="dataset")
app.add_typer(submissions.app, name="submissions")
app.add_typer(scoring.app, name="scoring")
app.add_typer(board.app, name="board")
app.command()(report.report)
app.command()(export.export)
app.command("audit-log")(log.audit_log)

GRACE_SECONDS = (
    10  # of requests that run when the server is told to stop; event streams never end by themselves
)


@app.command()
def init(
    worker_token: Annotated[
        bool, typer.Option("--worker-token", help="Draw a token for workers with storage of their own.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make the data folder, and make the database or bring it up to date."""
    settings = Settings()
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    upgrade(settings.database)
    drawn = secrets.token_urlsafe(32) if worker_token else None
    result = {"data": str(settings.data.absolute()), "revision": newest_revision(), "worker_token": drawn}
    lines = [f"The database is ready; data lies in {result['data']}."]
    if drawn:
        lines.append(f"For the platform and such workers: MOODARENA_WORKER_TOKEN={drawn}")
    lines.append("Next: python -m backend user add NAME MAIL --role organizer")
    console.show(result, as_json, *lines)


@app.command()
def serve(
    host: str = "127.0.0.1",
    port: int = 8000,
    proxy: Annotated[
        str,
        typer.Option(help="Proxies whose X-Forwarded headers are believed: addresses with commas."),
    ] = "127.0.0.1",
    with_worker: Annotated[
        bool, typer.Option("--with-worker", help="Carry out runs on this machine as well.")
    ] = False,
) -> None:
    """Serve API and pages, having brought the database up to date."""
    settings = Settings()
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    logging.basicConfig(level="INFO", format="%(asctime)s %(levelname)s %(name)s %(message)s")
    upgrade(settings.database)
    with _worker_beside() if with_worker else nullcontext():
        uvicorn.run(
            create_app(),
            host=host,
            port=port,
            proxy_headers=True,
            forwarded_allow_ips=proxy,
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )


@contextmanager
def _worker_beside() -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-m", "worker"])
    try:
        yield
    finally:
        process.terminate()
        process.wait()


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def worker(context: typer.Context) -> None:
    """Carry out runs on this machine; further arguments go to the worker."""
    os.execv(sys.executable, [sys.executable, "-m", "worker", *context.args])


@app.command("doctor")
def examine(as_json: Json = False) -> None:
    """Check engine, disk, broker, database and GPU; exit 1 if something is wrong."""
    findings = list(doctor.examine(Settings()))
    signs = {"ok": "✓", "note": "·", "wrong": "✗"}
    lines = [
        f"{signs[item.state]} {item.about}: {item.found}" + (f" — {item.remedy}" if item.remedy else "")
        for item in findings
    ]
    console.show([item.as_dict() for item in findings], as_json, *lines)
    if any(item.state == "wrong" for item in findings):
        raise typer.Exit(1)


def main() -> None:
    """Run a command; errors that an operator can mend are told in a sentence."""
    try:
        app()
    except MoodarenaError as error:
        console.fail(error.code, error.message)
