"""Files that are file systems: made, attached to loop devices and mounted, with the system's own tools.

Needs root (CAP_SYS_ADMIN) on Linux. Every name given to a tool is ours; what a participant wrote is only ever
touched by the kernel.
"""

import fcntl
import json
import os
import shutil
import stat
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BLOCK = 4096
TOOLS = ("mkfs.ext4", "debugfs", "losetup", "mount", "umount")

_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin", "/usr/bin", "/bin"])
_CAP_SYS_ADMIN = 1 << 21
_LOOP_CTL_GET_FREE = 0x4C82
_LOOP_MAJOR = 7
_FORMAT_TRIES = 8
_ATTACH_TRIES = 10
_MOUNT_SECONDS = 300.0
_MOUNT_PAUSE = 0.1
_NO_ROOM = 8 * BLOCK


class LoopError(RuntimeError):
    """A file system could not be made, attached or mounted; the message has the tool's own words."""


def missing() -> str | None:
    """Why this process cannot use loop devices, in a few words, or None if it can."""
    if not sys.platform.startswith("linux"):
        return "this is not Linux"
    if not _capable():
        return "root is needed for an exact limit"
    if not Path("/dev/loop-control").exists():
        return "there is no /dev/loop-control"
    lacking = [tool for tool in TOOLS if shutil.which(tool, path=_PATH) is None]
    return f"{', '.join(lacking)} not found" if lacking else None


def make(file: Path, usable: int, inodes: int, owner: int, stamp: int) -> None:
    """Make `file` an empty ext4 file system, all of its blocks reserved on the disk.

    It has no journal, no reserved blocks and no `lost+found`. The files in it can take at least `usable`
    bytes, at most 1 % and 256 KiB more, in `inodes` files. Its root folder belongs to `owner` (both ids) and
    was last modified at second `stamp`, by which it can be told from any other.

    Raises:
        LoopError: a tool failed, or the disk is too full.
    """
    wanted = -(-usable // BLOCK) + usable // BLOCK // 100 + 32
    blocks = wanted + inodes // 16 + 64
    for _ in range(_FORMAT_TRIES):
        _format(file, blocks, inodes, owner)
        lacking = wanted - _writable_blocks(file)
        if -8 <= lacking <= 0:
            break
        blocks += lacking
    else:
        if lacking > 0:
            raise LoopError(f"no ext4 file system with {usable} usable bytes could be made")
    _tool("debugfs", "-w", "-f", "-", str(file), text=f"rmdir lost+found\nsif <2> mtime @{stamp}\n")
    try:
        with file.open("r+b") as stream:
            os.posix_fallocate(stream.fileno(), 0, blocks * BLOCK)
    except OSError as error:
        file.unlink(missing_ok=True)
        raise LoopError(f"no room on the disk for an output of {usable} bytes: {error.strerror}") from error


def _format(file: Path, blocks: int, inodes: int, owner: int) -> None:
    file.unlink(missing_ok=True)
    with file.open("xb") as stream:
        os.fchmod(stream.fileno(), stat.S_IRUSR | stat.S_IWUSR)
        stream.truncate(blocks * BLOCK)
    features = "^has_journal,^resize_inode"
    extended = f"nodiscard,lazy_itable_init=0,root_owner={owner}:{owner}"
    sizes = ["-b", str(BLOCK), "-I", "256", "-m", "0", "-N", str(inodes + 10)]
    _tool("mkfs.ext4", "-q", "-F", *sizes, "-O", features, "-E", extended, str(file))


def _writable_blocks(file: Path) -> int:
    """Free blocks less those that the kernel keeps back for its own bookkeeping (2 %, at most 4096)."""
    with file.open("rb") as stream:
        stream.seek(1024)
        superblock = stream.read(1024)
    total, _, free = struct.unpack_from("<III", superblock, 4)
    total_high, free_high = (
        struct.unpack_from("<I", superblock, 0x150)[0],
        struct.unpack_from("<I", superblock, 0x158)[0],
    )
    total, free = total | total_high << 32, free | free_high << 32
    return int(free - min(total // 50, 4096))


def attach(file: Path) -> str:
    """Attach a file to a free loop device; returns the device, `/dev/loopN`.

    Raises:
        LoopError: there is no free device, or it may not be used.
    """
    problem = ""
    for _ in range(_ATTACH_TRIES):
        device = _free_device()
        try:
            _tool("losetup", device, str(file))
            return device
        except LoopError as error:
            problem = str(error)
            if "busy" not in problem:
                break
    raise LoopError(problem)


def _free_device() -> str:
    """The kernel's next free device; its node is made where nobody else does (in a container)."""
    try:
        with open("/dev/loop-control", "rb") as control:
            number = fcntl.ioctl(control, _LOOP_CTL_GET_FREE)
        device = f"/dev/loop{number}"
        if not os.path.exists(device):
            os.mknod(device, stat.S_IFBLK | 0o600, os.makedev(_LOOP_MAJOR, number))
    except FileExistsError:
        return device
    except OSError as error:
        raise LoopError(f"no loop device can be had: {error}") from error
    return device


def attached(file: Path) -> list[str]:
    """The loop devices of a file."""
    if not file.exists():
        return []
    lines = _tool("losetup", "--noheadings", "--output", "NAME", "--associated", str(file)).splitlines()
    return [line.strip() for line in lines if line.strip()]


def orphans(directory: Path) -> list[str]:
    """Loop devices whose file lay in `directory` and is deleted."""
    told = _tool("losetup", "--list", "--json", "--output", "NAME,BACK-FILE")
    rows = json.loads(told)["loopdevices"] if told.strip() else []
    prefix, suffix = f"{directory.resolve()}/", " (deleted)"
    return [
        row["name"]
        for row in rows
        if (row["back-file"] or "").startswith(prefix) and row["back-file"].endswith(suffix)
    ]


def detach(device: str) -> None:
    """Give a loop device back; the kernel waits for its last user."""
    _tool("losetup", "--detach", device)


@contextmanager
def mounted(device: str, folder: Path) -> Iterator[Path]:
    """The file system of a device, read-only, at a folder that only we can enter and that goes afterwards.

    Raises:
        LoopError: mounting is not allowed here, or the device is still mounted for writing.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        _mount(device, folder)
        try:
            yield folder
        finally:
            unmount(folder)
    finally:
        folder.rmdir()


def _mount(device: str, folder: Path) -> None:
    """Mount, waiting for an engine that is still unmounting, which writes all to the disk first."""
    deadline = time.monotonic() + _MOUNT_SECONDS
    while True:
        try:
            _tool("mount", "-t", "ext4", "-o", "ro,nosuid,nodev,noexec", device, str(folder))
        except LoopError as error:
            if "busy" not in str(error) or time.monotonic() >= deadline:
                raise
            time.sleep(_MOUNT_PAUSE)
        else:
            return


def is_full(folder: Path) -> bool:
    """Whether a mounted file system has no room for another file worth the name (32 KiB)."""
    room = os.statvfs(folder)
    return room.f_bavail * room.f_frsize <= _NO_ROOM or room.f_favail == 0


def kernel() -> str:
    """Release of the kernel of this machine."""
    return os.uname().release


def unmount(folder: Path) -> None:
    """Unmount a folder if something is mounted there."""
    if os.path.ismount(folder):
        _tool("umount", str(folder))


def _capable() -> bool:
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    effective = next(line for line in status.splitlines() if line.startswith("CapEff:"))
    return bool(int(effective.split()[1], 16) & _CAP_SYS_ADMIN)


def _tool(name: str, *arguments: str, text: str = "") -> str:
    environment = {"PATH": _PATH, "LC_ALL": "C"}
    try:
        done = subprocess.run(
            [shutil.which(name, path=_PATH) or name, *arguments],
            input=text,
            capture_output=True,
            text=True,
            env=environment,
            timeout=300,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LoopError(f"{name}: {error}") from error
    if done.returncode:
        raise LoopError(f"{name}: {(done.stderr or done.stdout).strip()} (exit code {done.returncode})")
    return done.stdout
