"""What setup/compose_check.sh does once the stack is up: an organizer's and a participant's walk through it.

compose_walk.py URL COMPOSE-COMMAND...
"""

import json
import re
import secrets
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from submissions.client import Client
from submissions.responses import Submission
from submissions.wire import NoConnection
from tests.images import busybox
from tests.integration.arena import all_scripts, spec_text

BOOT_SECONDS = 240
BYTES_PER_CASE = 262_144  # see spec_text
FLOOD = """dd if=/dev/zero of="$2/flood" bs=4096 count=4096
echo "wrote $(stat -c %s "$2/flood") bytes for $(ls "$1" | wc -l) cases"
exit 1
"""


@dataclass
class Stack:
    """The running services, by way of the compose command."""

    command: list[str]

    def __call__(self, *arguments: str, text: str | None = None) -> str:
        done = subprocess.run(
            [*self.command, *arguments],
            input=text,
            text=True,
            stdout=subprocess.PIPE,
            check=True,
            timeout=300,
        )
        return done.stdout

    def run(self, service: str, *command: str, text: str | None = None) -> str:
        return self("exec", "-T", service, *command, text=text or "")

    def operate(self, *arguments: str, text: str | None = None) -> str:
        return self.run("backend", "python", "-m", "backend", *arguments, text=text)


def main(url: str, *command: str) -> None:
    stack = Stack(list(command))
    _await(url)
    _check_separation(stack)
    _register(stack)
    client = _participant(url)
    _ranked(client)
    _quota_holds(client, stack)
    client.close()


def _await(url: str) -> None:
    deadline = time.monotonic() + BOOT_SECONDS
    with Client(url) as client:
        while True:
            try:
                client.challenges()
            except NoConnection:
                assert time.monotonic() < deadline, f"nothing answers at {url}"
                time.sleep(1)
            else:
                return


def _check_separation(stack: Stack) -> None:
    """Only the worker meets the engine, and what people talk to is not root."""
    assert stack.run("backend", "id", "-u").strip() == "10001"
    sockets = "import os; print(os.path.exists('/var/run/docker.sock'))"
    assert stack.run("backend", "python", "-c", sockets).strip() == "False"
    found = {
        item["about"]: item
        for item in json.loads(stack.run("worker", "python", "-m", "backend", "doctor", "--json"))
    }
    assert all(item["state"] != "wrong" for item in found.values()), found
    assert found["output quota"]["found"].startswith("exact"), found["output quota"]


def _register(stack: Stack) -> None:
    stack.run("backend", "sh", "-c", "cat >/data/demo.yaml", text=spec_text())
    stack.operate("dataset", "build", "/data/demo.yaml", "--out", "/data/scans")
    stack.operate("challenge", "add", "/data/demo.yaml", "--data", "/data/scans")


def _participant(url: str) -> Client:
    password = secrets.token_urlsafe(16)
    with Client(url) as visitor:
        visitor.sign_up("anna", "anna@example.org", password)
        token = visitor.make_token("anna", password, "check").token
    client = Client(url, token)
    client.create_team("demo", "anna")
    return client


def _submit(client: Client, scripts: dict[str, str], kind: str, task: str | None) -> Submission:
    files = {f"workspace/{path}": f"#!/bin/sh\n{text}".encode() for path, text in scripts.items()}
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "archive.tar"
        busybox.write_archive(archive, f"check-{secrets.token_hex(4)}", files)
        upload = client.upload("demo", archive)
    submitted = client.submit("demo", upload.id, kind, task, "compose check")
    for _ in client.watch(submitted.id):
        pass
    return client.submission(submitted.id)  # the stream of events leaves logs out


def _ranked(client: Client) -> None:
    last = _submit(client, all_scripts(), "counted", "sample")
    assert last.state == "ranked", last
    (row,) = client.leaderboard("demo", "sample").rows
    assert row.place == 1
    assert set(row.ap) == {"brain", "abdom"}
    assert all(ap is not None and 0 <= ap <= 1 for ap in row.ap.values()), row


def _quota_holds(client: Client, stack: Stack) -> None:
    last = _submit(client, all_scripts(sample=FLOOD, pixel=FLOOD), "toy", None)
    assert last.failure is not None, last
    assert last.failure.code == "output_full", last.failure
    told = re.search(r"wrote (\d+) bytes for (\d+) cases", "".join(run.log or "" for run in last.runs))
    assert told is not None, last.runs
    written, allowed = int(told[1]), int(told[2]) * BYTES_PER_CASE
    assert allowed <= written <= allowed * 1.01 + 262_144, told[0]
    left = stack.run(
        "worker", "sh", "-c", "losetup --list --noheadings --output BACK-FILE | grep $MOODARENA_DATA || true"
    )
    assert left.strip() == "", left


if __name__ == "__main__":
    main(*sys.argv[1:])
