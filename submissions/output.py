"""Where a container writes its predictions: a folder of exact size, read only after the container is dead.

`LoopOutput` is a file system in a file, exact to the block, and needs root; `TmpfsOutput` is memory, kept by
a second container, for participants who try their image without root. Both serve one job:

    prepare -> (create the container) -> verify -> (run it, remove it) -> files, full -> discard
"""

import io
import secrets
import shutil
import tarfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from submissions import loops
from submissions.engine import Engine, EngineError
from submissions.sandbox import USER, Job, keeper_request

_SUFFIX = ".ext4"
_FOLDER_SUFFIX = ".mounted"
_STREAM_ROOM = 64 << 20


class OutputFault(EngineError):
    """The output folder is not what it should be; nothing of the image was run. The fault is ours."""


class Output(Protocol):
    """An output folder for one job."""

    extra_memory: int
    """Bytes by which the memory limit must rise because the folder is memory."""

    def prepare(self) -> str:
        """Make the folder, empty, in place of one of the same name; returns the engine's volume."""

    def verify(self, container_id: str) -> None:
        """Check, before the first start, that the container's output folder is ours and so has our size.

        Raises:
            OutputFault: it is not.
        """

    def started(self) -> None:
        """Told once the container runs."""

    def full(self) -> bool:
        """Whether there was no room left when the container died."""

    def files(self) -> AbstractContextManager[Path]:
        """The folder, for reading; only after the container is dead and removed.

        What lies in it was written by a stranger: open nothing but regular files, without following links.
        """

    def discard(self) -> None:
        """Remove everything that `prepare` made; may be repeated."""


class LoopOutput:
    """An ext4 file system in a file of `directory`, attached to a loop device, mounted by the engine.

    The job can write `job.output_bytes` in files, at most 1 % and 256 KiB more, and `limits.output_inodes`
    files. A worker that restarts finds it again by the job's name.

    Raises:
        OutputFault: loop devices, mounts or disk space cannot be had.
    """

    extra_memory = 0

    def __init__(self, engine: Engine, job: Job, directory: Path) -> None:
        self._engine, self._job = engine, job
        self._file = directory / f"{job.name}{_SUFFIX}"
        self._folder = directory / f"{job.name}{_FOLDER_SUFFIX}"
        self._stamp = secrets.randbelow(1 << 30)

    def prepare(self) -> str:
        self.discard()
        self._file.parent.mkdir(parents=True, exist_ok=True)
        job = self._job
        with _ours():
            loops.make(self._file, job.output_bytes, job.limits.output_inodes, USER, self._stamp)
            device = loops.attach(self._file)
        options = {"type": "ext4", "device": device, "o": "nosuid,nodev,noexec"}
        return self._engine.create_volume(job.name, options)

    def verify(self, container_id: str) -> None:
        found = self._engine.stat(container_id, f"{self._job.output}/.")
        if found is None or found.modified != datetime.fromtimestamp(self._stamp, UTC):
            raise OutputFault(
                f"{self._job.output} of the container is not the output folder made for it: {found}"
            )

    def started(self) -> None:
        """Leave the device to its mount: it goes with the container, even if nobody is there to see to it."""
        with _ours():
            for device in loops.attached(self._file):
                loops.detach(device)

    def full(self) -> bool:
        with self.files() as folder:
            return loops.is_full(folder)

    @contextmanager
    def files(self) -> Iterator[Path]:
        with _ours():
            device = next(iter(loops.attached(self._file)), None) or loops.attach(self._file)
            with loops.mounted(device, self._folder) as folder:
                yield folder

    def discard(self) -> None:
        self._engine.remove_volume(self._engine.container_name(self._job.name))
        with _ours():
            discard_file(self._file)


class TmpfsOutput:
    """A size-capped tmpfs, kept alive by a container that waits; its files are copied to `directory`.

    The memory that it takes counts against the container, whose limit therefore rises by its size.
    """

    def __init__(self, engine: Engine, job: Job, directory: Path) -> None:
        self._engine, self._job = engine, job
        self._folder = directory / job.name
        self._keeper_name = f"{job.name}-keeper"
        self._keeper: str | None = None
        self._extracted: int | None = None
        self.extra_memory = job.output_bytes

    def prepare(self) -> str:
        self.discard()
        job, engine = self._job, self._engine
        flags = f"nosuid,nodev,noexec,uid={USER},gid={USER},mode=0700"
        pages = f"nr_blocks={-(-job.output_bytes // loops.BLOCK)}"
        size = (
            pages if engine.facts().podman else f"size={job.output_bytes}"
        )  # which Podman takes for a quota
        sizes = f"{size},nr_inodes={job.limits.output_inodes + 1}"
        volume = engine.create_volume(job.name, {"type": "tmpfs", "device": "tmpfs", "o": f"{flags},{sizes}"})
        labels = engine.labels(job.name, job.labels)
        request = keeper_request(job, engine.facts(), labels, volume)
        self._keeper = engine.create(self._keeper_name, request)
        engine.start(self._keeper)
        return volume

    def verify(self, container_id: str) -> None:
        state = self._engine.inspect(self._keeper or "")
        if state is None or not state.running:
            return  # an image without a shell: nothing of it will run, so nothing will be written
        found = self._engine.stat(state.id, f"{self._job.output}/.")
        if found is None or found.mode != 0o700:
            raise OutputFault(
                f"{self._job.output} of the container is not the output folder made for it: {found}"
            )

    def started(self) -> None:
        return

    def full(self) -> bool:
        room = self._job.output_bytes - self._extract()
        inodes = self._job.limits.output_inodes - len(list(self._folder.iterdir()))
        return room < loops.BLOCK or inodes <= 0

    @contextmanager
    def files(self) -> Iterator[Path]:
        self._extract()
        yield self._folder

    def discard(self) -> None:
        self._engine.remove(self._engine.container_name(self._keeper_name))
        self._engine.remove_volume(self._engine.container_name(self._job.name))
        shutil.rmtree(self._folder, ignore_errors=True)
        self._extracted = None

    def _extract(self) -> int:
        """Copy the flat regular files out, once; returns how many bytes they take."""
        if self._extracted is None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder.mkdir(mode=0o700, parents=True)
            state = self._engine.inspect(self._keeper or self._engine.container_name(self._keeper_name))
            if state is not None and state.running:
                stream = self._engine.archive(state.id, f"{self._job.output}/.")
                self._extracted = copy_flat_files(stream, self._folder, self._job.output_bytes)
            else:
                self._extracted = 0
        return self._extracted


def choose_output(
    engine: Engine, job: Job, directory: Path, announce: Callable[[str], None]
) -> LoopOutput | TmpfsOutput:
    """The exact output where it can be had, else the one in memory, announced in one line."""
    reason = loops.missing() or _engine_elsewhere(engine)
    if reason is None:
        return LoopOutput(engine, job, directory)
    announce(
        f"Output limit: {job.output_bytes / 1e6:.0f} MB of memory instead of an exact file system ({reason})."
    )
    return TmpfsOutput(engine, job, directory)


def copy_flat_files(chunks: Iterable[bytes], folder: Path, limit: int) -> int:
    """Write the regular files at the top of a stranger's tar stream to an empty folder.

    Links, devices, folders and what lies in them, odd names and files larger than `limit` bytes are left out,
    and so is everything after `limit` bytes of files, or after a stretch of more than twice the limit that a
    sparse file makes. Returns the bytes written.
    """
    written = 0
    longest = 2 * limit + _STREAM_ROOM
    stream = _Chunks(chunks, longest)
    try:
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                if member.size > longest:
                    break
                name = member.name.removeprefix("./")
                if not member.isreg() or not _plain(name) or member.size + written > limit:
                    continue
                source = archive.extractfile(member)
                if source is None:
                    continue
                with (folder / name).open("xb") as target:
                    shutil.copyfileobj(source, target)
                written += member.size
    except (tarfile.TarError, FileExistsError):
        return written
    return written


def discard_file(file: Path) -> None:
    """Unmount, detach and delete the file of a `LoopOutput`.

    Raises:
        loops.LoopError: something still uses it.
    """
    folder = file.with_name(f"{file.name.removesuffix(_SUFFIX)}{_FOLDER_SUFFIX}")
    if folder.exists():
        loops.unmount(folder)
        folder.rmdir()
    for device in loops.attached(file):
        loops.detach(device)
    file.unlink(missing_ok=True)


def output_files(directory: Path) -> dict[str, Path]:
    """The files of `LoopOutput`s in a directory, by the name of their job."""
    return {file.name.removesuffix(_SUFFIX): file for file in directory.glob(f"*{_SUFFIX}")}


def _engine_elsewhere(engine: Engine) -> str | None:
    facts = engine.facts()
    if facts.rootless:
        return "the engine runs without root"
    return None if facts.kernel == loops.kernel() else "the engine runs on another machine"


def _plain(name: str) -> bool:
    return name not in ("", ".", "..") and name.isprintable() and "/" not in name and "\\" not in name


@contextmanager
def _ours() -> Iterator[None]:
    try:
        yield
    except loops.LoopError as error:
        raise OutputFault(str(error)) from error


class _Chunks(io.RawIOBase):
    """A stream of byte strings as a file, which ends after `limit` bytes at the latest."""

    def __init__(self, chunks: Iterable[bytes], limit: int) -> None:
        self._chunks, self._left, self._rest = iter(chunks), limit, memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._rest and self._left > 0:
            self._rest = memoryview(next(self._chunks, b""))
            self._left -= len(self._rest)
        target = memoryview(buffer)
        count = min(len(target), len(self._rest))
        target[:count], self._rest = self._rest[:count], self._rest[count:]
        return count
