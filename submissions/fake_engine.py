"""An engine without containers, for tests: it records what it is asked for and behaves as told."""

import io
import tarfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from submissions.engine import (
    ContainerState,
    Engine,
    Facts,
    LoadRefused,
    PathStat,
    StartRefused,
    Volume,
)
from submissions.sandbox import Job


@dataclass(frozen=True)
class Behaviour:
    """What a container does once it is started.

    Attributes:
        exit_code: how it ends, `seconds` after its start (real time).
        files: written to the output folder at the start, by name.
        writes: called with the input and the output folder at the start, for all that `files` cannot say.
        refused: if not empty, the engine refuses to start it, in these words.
    """

    exit_code: int = 0
    seconds: float = 0.0
    out_of_memory: bool = False
    log: bytes = b""
    memory: int = 50_000_000
    files: Mapping[str, bytes] = field(default_factory=dict)
    writes: Callable[[Path, Path], None] | None = None
    refused: str = ""


class FakeEngine(Engine):
    """Containers behave like `behaviours`, one after the other, the last one for ever.

    Attributes:
        requests: every create request, oldest first.
        started: names of the jobs whose containers were started.
        killed, removed: ids of containers.
        loaded: archives given to `load`; the image's id is derived from the file's content by `image_id_of`.
        folders: the folder behind each volume, by the volume's full name; `FakeOutput` fills it.
    """

    def __init__(
        self,
        behaviours: Iterable[Behaviour] = (),
        namespace: str = "fake",
        podman: bool = False,
        image_id_of: Callable[[Path], str] | None = None,
    ) -> None:
        self.namespace = namespace
        self.reachable = True
        self.requests: list[dict[str, Any]] = []
        self.started: list[str] = []
        self.killed: list[str] = []
        self.removed: list[str] = []
        self.loaded: list[Path] = []
        self.folders: dict[str, Path] = {}
        self._podman = podman
        self._image_id_of = image_id_of
        self._behaviours = list(behaviours) or [Behaviour()]
        self._images: list[str] = []
        self._volumes: dict[str, Volume] = {}
        self._containers: dict[str, _Container] = {}

    def ping(self) -> bool:
        return self.reachable

    def facts(self) -> Facts:
        return Facts(podman=self._podman, version="0", cpus=64, kernel="fake", rootless=False)

    def load(self, archive: Path) -> str:
        self.loaded.append(archive)
        if self._image_id_of is None and not archive.read_bytes():
            raise LoadRefused("an empty archive")
        image_id = self._image_id_of(archive) if self._image_id_of else f"sha256:{len(self.loaded):064x}"
        self._images.append(image_id)
        return image_id

    def image_exists(self, image_id: str) -> bool:
        return image_id in self._images

    def images(self) -> list[str]:
        return list(self._images)

    def remove_image(self, image_id: str) -> bool:
        self._images = [known for known in self._images if known != image_id]
        return True

    def create(self, name: str, request: Mapping[str, Any]) -> str:
        self.requests.append(dict(request))
        full = self.container_name(name)
        behaviour = self._behaviours.pop(0) if len(self._behaviours) > 1 else self._behaviours[0]
        state = ContainerState(
            id=f"{len(self.requests):064x}",
            name=full,
            status="created",
            running=False,
            exit_code=0,
            out_of_memory=False,
            error="",
            created=datetime.now(UTC),
            started=None,
            finished=None,
            labels=dict(request.get("Labels") or {}),
        )
        self._containers[full] = _Container(state, behaviour, dict(request))
        return state.id

    def initialise(self, container_id: str) -> None:
        return

    def start(self, container_id: str) -> None:
        container = self._known(container_id)
        if container.behaviour.refused:
            raise StartRefused(container.behaviour.refused)
        self.started.append(container.state.name.removeprefix(self.container_name("")))
        container.deadline = time.monotonic() + container.behaviour.seconds
        container.state = replace(container.state, status="running", running=True, started=datetime.now(UTC))
        self._write(container)

    def inspect(self, container: str) -> ContainerState | None:
        found = self._find(container)
        if found is None:
            return None
        if found.state.running and time.monotonic() >= found.deadline:
            self._end(found, found.behaviour.exit_code, found.behaviour.out_of_memory)
        return found.state

    def containers(self) -> list[ContainerState]:
        return [container.state for container in self._containers.values()]

    def kill(self, container_id: str) -> None:
        self.killed.append(container_id)
        found = self._find(container_id)
        if found is not None and found.state.running:
            self._end(found, 137, out_of_memory=False)

    def remove(self, container_id: str) -> None:
        found = self._find(container_id)
        if found is not None:
            self.removed.append(found.state.id)
            del self._containers[found.state.name]

    def memory(self, container_id: str) -> int | None:
        found = self._find(container_id)
        return found.behaviour.memory if found is not None else None

    def logs(self, container_id: str, limit: int) -> bytes:
        return self._known(container_id).behaviour.log[-limit:]

    def stat(self, container_id: str, path: str) -> PathStat | None:
        return PathStat(mode=0o755, modified=datetime.now(UTC))

    def archive(self, container_id: str, path: str) -> Iterator[bytes]:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for file in sorted(self._output_of(self._known(container_id)).iterdir()):
                archive.add(file, arcname=f"./{file.name}")
        yield buffer.getvalue()

    def create_volume(self, name: str, options: Mapping[str, str]) -> str:
        full = self.container_name(name)
        self._volumes[full] = Volume(full, datetime.now(UTC), self.labels(name))
        return full

    def volumes(self) -> list[Volume]:
        return list(self._volumes.values())

    def remove_volume(self, full_name: str) -> None:
        self._volumes.pop(full_name, None)

    def _find(self, container: str) -> "_Container | None":
        by_id = (known for known in self._containers.values() if known.state.id == container)
        return self._containers.get(container) or next(by_id, None)

    def _known(self, container: str) -> "_Container":
        found = self._find(container)
        if found is None:
            raise KeyError(f"no container {container}")
        return found

    def _end(self, container: "_Container", exit_code: int, out_of_memory: bool) -> None:
        container.state = replace(
            container.state,
            status="exited",
            running=False,
            exit_code=exit_code,
            out_of_memory=out_of_memory,
            finished=datetime.now(UTC),
        )

    def _output_of(self, container: "_Container") -> Path:
        host = container.request["HostConfig"]
        volumes = [mount["Source"] for mount in host.get("Mounts", []) if mount["Type"] == "volume"]
        volumes += [bind.partition(":")[0] for bind in host.get("Binds", [])]
        return self.folders[volumes[0]]

    def _write(self, container: "_Container") -> None:
        behaviour = container.behaviour
        for name, content in behaviour.files.items():
            (self._output_of(container) / name).write_bytes(content)
        if behaviour.writes is not None:
            mounts = container.request["HostConfig"]["Mounts"]
            source = next(mount["Source"] for mount in mounts if mount["Type"] == "bind")
            behaviour.writes(Path(source), self._output_of(container))


class FakeOutput:
    """An output that is a plain folder below `directory`, for `FakeEngine`."""

    extra_memory = 0

    def __init__(self, engine: FakeEngine, job: Job, directory: Path, is_full: bool = False) -> None:
        self._engine, self._job, self._is_full = engine, job, is_full
        self._folder = directory / job.name

    def prepare(self) -> str:
        self._folder.mkdir(parents=True, exist_ok=True)
        volume = self._engine.create_volume(self._job.name, {})
        self._engine.folders[volume] = self._folder
        return volume

    def verify(self, container_id: str) -> None:
        return

    def started(self) -> None:
        return

    def full(self) -> bool:
        return self._is_full

    @contextmanager
    def files(self) -> Iterator[Path]:
        yield self._folder

    def discard(self) -> None:
        self._engine.remove_volume(self._engine.container_name(self._job.name))
        for file in self._folder.glob("*"):
            file.unlink()


@dataclass
class _Container:
    state: ContainerState
    behaviour: Behaviour
    request: dict[str, Any]
    deadline: float = 0.0
