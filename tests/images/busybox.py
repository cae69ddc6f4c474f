"""A 2 MB image of one static program, busybox, for tests that need a shell and nothing else.

It is written as an archive of `docker save`, so that it goes the way of every submission. The program comes
from this machine if it has a static one, else from the distribution's package, downloaded but not installed.
"""

import fcntl
import hashlib
import io
import json
import platform
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

APPLETS = [
    "awk", "cat", "chmod", "cp", "cut", "dd", "df", "echo", "env", "fallocate", "false", "find", "grep",
    "head", "hostname", "id", "ifconfig", "ip", "kill", "ln", "ls", "md5sum", "mkdir", "mkfifo",
    "mknod", "mount", "mv", "nc", "nproc", "ping", "ps", "rm", "sed", "seq", "setsid", "sh", "sleep",
    "sort", "stat", "su", "tail", "test", "timeout", "touch", "tr", "true", "truncate", "umount",
    "uname", "unshare", "wc", "wget", "yes",
]  # fmt: skip
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def static_busybox() -> Path:
    """Path of a statically linked busybox."""
    for name in ("/bin/busybox", "/usr/bin/busybox"):
        if Path(name).exists() and _is_static(Path(name)):
            return Path(name)
    folder = Path(tempfile.gettempdir()) / "moodarena-busybox"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "busybox").exists():
            _download(folder)
    return folder / "busybox"


def write_archive(
    target: Path,
    name: str,
    files: Mapping[str, bytes] | None = None,
    links: Mapping[str, str] | None = None,
    shell: bool = True,
    config: Mapping[str, object] | None = None,
) -> str:
    """Write the archive of an image called `name` inside; returns the image's id, `sha256:...`.

    `files` maps paths to contents, `links` paths to where they point; `config` is the image's runtime
    configuration (`Env`, `Volumes`, `Entrypoint`...). Without `shell` there is no program but `/bin/true`.
    """
    layer = _layer(files or {}, links or {}, APPLETS if shell else ["true"])
    image = {
        "architecture": ARCHITECTURES[platform.machine()],
        "os": "linux",
        "created": "2020-01-01T00:00:00Z",
        "config": {"Labels": {"image": name}, **(config or {})},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
        "history": [],
    }
    told = json.dumps(image, sort_keys=True).encode()
    digest = hashlib.sha256(told).hexdigest()
    manifest = [{"Config": f"{digest}.json", "RepoTags": None, "Layers": ["layer.tar"]}]
    with tarfile.open(target, "w") as archive:
        _add(archive, "layer.tar", layer)
        _add(archive, f"{digest}.json", told)
        _add(archive, "manifest.json", json.dumps(manifest).encode())
    return f"sha256:{digest}"


def _layer(files: Mapping[str, bytes], links: Mapping[str, str], applets: Sequence[str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        _add(archive, "bin/busybox", static_busybox().read_bytes(), mode=0o755)
        for applet in applets:
            _link(archive, f"bin/{applet}", "busybox")
        for path, content in sorted(files.items()):
            _add(archive, path.lstrip("/"), content, mode=0o755)
        for path, destination in sorted(links.items()):
            _link(archive, path.lstrip("/"), destination)
    return buffer.getvalue()


def _add(archive: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), mode
    archive.addfile(member, io.BytesIO(content))


def _link(archive: tarfile.TarFile, name: str, destination: str) -> None:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = tarfile.SYMTYPE, destination
    archive.addfile(member)


def _is_static(program: Path) -> bool:
    """Whether an ELF file names no interpreter."""
    return b"/ld-linux" not in program.read_bytes() and b"/ld-musl" not in program.read_bytes()


def _download(folder: Path) -> None:
    subprocess.run(
        ["apt-get", "download", "-q", "busybox-static"], cwd=folder, check=True, capture_output=True
    )
    package = next(folder.glob("busybox-static_*.deb"))
    subprocess.run(["dpkg", "-x", str(package), str(folder / "unpacked")], check=True)
    shutil.move(folder / "unpacked/bin/busybox", folder / "busybox")
