"""The container engine, as little of it as the platform needs, over the Docker API (Docker or Podman).

`Engine` is the only code that talks to the engine; `fake_engine.FakeEngine` stands in for it in tests. What
belongs to this installation bears the label `moodarena=<namespace>`, so that several installations, and
tests, can share one engine without touching each other's containers.
"""

import base64
import json
import re
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import docker
import requests
from docker.errors import APIError, DockerException, NotFound

LABEL = "moodarena"
NAME_LABEL = f"{LABEL}.name"
# While a container ends, Docker answers nothing about it until its output is on the disk.
_SECONDS = 600
_LOAD_SECONDS = 3600
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_NOT_RUNNING = {"created", "configured", "initialized", "exited", "dead", "removing"}
_MACHINE_AT_FAULT = (
    "mounting volume",
    "local volume",
    "no space left",
    "cannot allocate memory",
    "too many open files",
    "resource temporarily unavailable",
    "cgroup",
    "nvidia",
)
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class EngineError(RuntimeError):
    """The engine did not do what it was asked for; the fault is ours, not the participant's."""


class StartRefused(EngineError):
    """No container can be made of the image, e.g. because `/mnt` is a file in it; not our fault."""


class LoadRefused(EngineError):
    """The engine read the archive and found no image in it that it can use."""


@dataclass(frozen=True)
class Facts:
    """What must be known of the engine before a container is described to it."""

    podman: bool
    version: str
    cpus: int
    kernel: str
    rootless: bool


@dataclass(frozen=True)
class ContainerState:
    """A container as the engine sees it; times are the engine's clock, UTC."""

    id: str
    name: str
    status: str
    running: bool
    exit_code: int
    out_of_memory: bool
    error: str
    created: datetime
    started: datetime | None
    finished: datetime | None
    labels: Mapping[str, str]


@dataclass(frozen=True)
class Volume:
    """A volume of ours."""

    name: str
    created: datetime
    labels: Mapping[str, str]


@dataclass(frozen=True)
class PathStat:
    """A path inside a container: mode bits, and when it was last modified (UTC)."""

    mode: int
    modified: datetime


class Engine:
    """A thin client of the engine at `url`, by default the one that DOCKER_HOST names.

    Raises:
        EngineError: from every method, when the engine cannot be reached or refuses.
    """

    def __init__(self, url: str | None = None, namespace: str = "default") -> None:
        self.namespace = namespace
        with _translated("reach the engine"):
            self._docker = (
                docker.DockerClient(base_url=url, timeout=_SECONDS)
                if url
                else docker.from_env(timeout=_SECONDS)
            )
        self._api: Any = self._docker.api
        self._facts: Facts | None = None

    def ping(self) -> bool:
        """Whether the engine answers."""
        try:
            return bool(self._api.ping())
        except (DockerException, requests.RequestException):
            return False

    def facts(self) -> Facts:
        """Kind, version, CPUs and kernel of the engine; asked once."""
        if self._facts is None:
            with _translated("ask the engine for its version"):
                version, info = self._api.version(), self._api.info()
            parts = [part.get("Name", "") for part in version.get("Components") or []]
            self._facts = Facts(
                podman=any("Podman" in part for part in parts),
                version=str(version.get("Version", "")),
                cpus=int(info.get("NCPU") or 1),
                kernel=str(info.get("KernelVersion", "")),
                rootless="name=rootless" in (info.get("SecurityOptions") or []) or bool(info.get("Rootless")),
            )
        return self._facts

    # images

    @property
    def _repository(self) -> str:
        return f"moodarena-{self.namespace}"

    def load(self, archive: Path) -> str:
        """Load a checked archive that holds one image and no tags; returns the id, `sha256:...`.

        The image gets a tag of ours, by which the sweep knows it; it is always run by its id.

        Raises:
            LoadRefused: the engine cannot use the archive.
        """
        with _translated("load an image", LoadRefused), archive.open("rb") as stream:
            url = self._api._url("/images/load")
            answer = self._api._post(url, data=stream, params={"quiet": 1}, timeout=_LOAD_SECONDS)
            self._api._raise_for_status(answer)
            found = _DIGEST.findall(answer.text)
        if not found:
            raise LoadRefused(f"the engine loaded no image: {answer.text[-500:]}")
        image_id: str = found[-1]
        with _translated("tag an image"):
            self._api.tag(image_id, self._repository, image_id.removeprefix("sha256:")[:32])
        return image_id

    def image_exists(self, image_id: str) -> bool:
        """Whether the engine has the image."""
        try:
            with _translated("look for an image"):
                self._api.inspect_image(image_id)
        except _Missing:
            return False
        return True

    def images(self) -> list[str]:
        """Ids of the images that `load` brought."""
        with _translated("list images"):
            rows = self._api.images()
        return [row["Id"] for row in rows if self._tags_of_ours(row)]

    def remove_image(self, image_id: str) -> bool:
        """Remove an image unless somebody else's tag or a container holds it; whether it is gone."""
        try:
            with _translated("look for an image"):
                row = self._api.inspect_image(image_id)
            for tag in self._tags_of_ours(row):
                self._remove_reference(tag)
            if set(row.get("RepoTags") or []) <= set(self._tags_of_ours(row)):
                self._remove_reference(image_id)
        except _Missing:
            return True
        except _Conflict:
            return False
        return not self.image_exists(image_id)

    def _remove_reference(self, reference: str) -> None:
        try:
            with _translated("remove an image"):
                self._api.remove_image(reference)
        except _Missing:
            return

    def _tags_of_ours(self, row: Mapping[str, Any]) -> list[str]:
        tags = row.get("RepoTags") or []
        return [tag for tag in tags if tag.rpartition(":")[0].rpartition("/")[2] == self._repository]

    # containers

    def container_name(self, name: str) -> str:
        """Name of the container of a job."""
        return f"moodarena-{self.namespace}-{name}"

    def labels(self, name: str, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """The labels of everything that belongs to a job."""
        more = {f"{LABEL}.{key}": str(value) for key, value in (extra or {}).items()}
        return {**more, LABEL: self.namespace, NAME_LABEL: name}

    def create(self, name: str, request: Mapping[str, Any]) -> str:
        """Create a container from an API request (see `sandbox.create_request`); returns its id.

        Raises:
            StartRefused: the engine cannot make a container of this image.
        """
        with _translated("create a container"):
            answer = self._api.create_container_from_config(dict(request), self.container_name(name))
        return str(answer["Id"])

    def initialise(self, container_id: str) -> None:
        """Mount what the container mounts where the engine can do so before the start (Podman)."""
        if not self.facts().podman:
            return
        with _translated("initialise a container"):
            url = f"{self._api.base_url}/v4.0.0/libpod/containers/{container_id}/init"
            self._api._raise_for_status(self._api.post(url, timeout=_SECONDS))

    def start(self, container_id: str) -> None:
        """Start a container.

        Raises:
            StartRefused: the engine cannot make a container of this image.
        """
        with _translated("start a container"):
            self._api.start(container_id)

    def inspect(self, container: str) -> ContainerState | None:
        """State of a container by id or full name, or None if there is none."""
        try:
            with _translated("inspect a container"):
                return _state(self._api.inspect_container(container))
        except _Missing:
            return None

    def containers(self) -> list[ContainerState]:
        """Every container of this namespace, running or not."""
        with _translated("list containers"):
            rows = self._api.containers(all=True, filters={"label": f"{LABEL}={self.namespace}"})
        states = (self.inspect(row["Id"]) for row in rows)
        return [state for state in states if state is not None]

    def kill(self, container_id: str) -> None:
        """Send SIGKILL to all of a container; no error if it is dead or gone."""
        try:
            with _translated("kill a container"):
                self._api.kill(container_id)
        except (_Missing, _Conflict):
            return

    def remove(self, container_id: str) -> None:
        """Kill and remove a container; no error if it is gone."""
        try:
            with _translated("remove a container"):
                self._api.remove_container(container_id, force=True, v=True)
        except _Missing:
            return

    def memory(self, container_id: str) -> int | None:
        """Bytes in use at most, as far as the engine tells, without file cache; None if it does not."""
        try:
            with _translated("read memory use"):
                url = self._api._url("/containers/{0}/stats", container_id)
                answer = self._api._get(url, params={"stream": False, "one-shot": True})
                self._api._raise_for_status(answer)
        except EngineError:
            return None
        told = json.loads(answer.content) if answer.content else {}  # Podman says nothing of the dead
        return memory_of(told.get("memory_stats") or {})

    def logs(self, container_id: str, limit: int) -> bytes:
        """The last `limit` bytes that a container wrote to its output and error streams."""
        kept: deque[bytes] = deque()
        size = 0
        with _translated("read a log"):
            for chunk in self._api.logs(container_id, stream=True, follow=False):
                kept.append(chunk)
                size += len(chunk)
                while size - len(kept[0]) >= limit:
                    size -= len(kept.popleft())
        return b"".join(kept)[-limit:]

    def stat(self, container_id: str, path: str) -> PathStat | None:
        """A path of a container, following links, with its volumes mounted; None if there is none.

        Docker mounts the volumes for this even before the first start; for Podman see `initialise`.
        """
        try:
            with _translated("look into a container"):
                url = self._api._url("/containers/{0}/archive", container_id)
                answer = self._api._get(url, params={"path": path}, stream=True)  # HEAD tells no error
                self._api._raise_for_status(answer)
                answer.close()
        except _Missing:
            return None
        told = json.loads(base64.b64decode(answer.headers["x-docker-container-path-stat"]))
        return PathStat(mode=int(told["mode"]) & 0o777, modified=_time(told["mtime"]) or _NEVER)

    def archive(self, container_id: str, path: str) -> Iterator[bytes]:
        """A tar stream of a folder of a container."""
        with _translated("read files of a container"):
            stream, _ = self._api.get_archive(container_id, path)
            yield from stream

    # volumes

    def create_volume(self, name: str, options: Mapping[str, str]) -> str:
        """Create a `local` volume for a job; returns its full name."""
        full = self.container_name(name)
        with _translated("create a volume"):
            self._api.create_volume(full, driver="local", driver_opts=dict(options), labels=self.labels(name))
        return full

    def volumes(self) -> list[Volume]:
        """Every volume of this namespace."""
        with _translated("list volumes"):
            rows = self._api.volumes(filters={"label": f"{LABEL}={self.namespace}"})["Volumes"]
        return [
            Volume(row["Name"], _time(row.get("CreatedAt") or "") or _NEVER, row.get("Labels") or {})
            for row in rows or []
        ]

    def remove_volume(self, full_name: str) -> None:
        """Remove a volume; no error if it is gone."""
        try:
            with _translated("remove a volume"):
                self._api.remove_volume(full_name)
        except _Missing:
            return


class _Missing(EngineError):
    pass


class _Conflict(EngineError):
    pass


@contextmanager
def _translated(doing: str, refused: type[EngineError] = EngineError) -> Iterator[None]:
    try:
        yield
    except APIError as error:
        told = str(error.explanation or error)
        kind = refused
        if refused is EngineError and _blames_image(told):
            kind = StartRefused
        elif isinstance(error, NotFound):
            kind = _Missing
        elif error.status_code == 409:
            kind = _Conflict
        raise kind(f"could not {doing}: {told}") from error
    except (DockerException, requests.RequestException, OSError) as error:
        raise EngineError(f"could not {doing}: {error}") from error


def _blames_image(told: str) -> bool:
    """Whether the runtime failed over what is in the image, and not over this machine or a volume of ours."""
    told = told.lower()
    if any(words in told for words in _MACHINE_AT_FAULT):
        return False
    return "not a directory" in told or "oci runtime" in told


def memory_of(stats: Mapping[str, Any]) -> int:
    """Bytes that `memory_stats` of the API says were used at most, less what is only file cache now."""
    details = stats.get("stats") or {}
    cache = sum(
        int(details.get(f"total_{key}", details.get(key, 0))) for key in ("inactive_file", "active_file")
    )
    used = max(int(stats.get("max_usage") or 0), int(stats.get("usage") or 0))
    return max(0, used - cache)


def _state(told: Mapping[str, Any]) -> ContainerState:
    state = told["State"]
    return ContainerState(
        id=told["Id"],
        name=str(told.get("Name", "")).lstrip("/"),
        status=state["Status"],
        running=state["Status"] not in _NOT_RUNNING,
        exit_code=int(state["ExitCode"]),
        out_of_memory=bool(state.get("OOMKilled")),
        error=str(state.get("Error") or ""),
        created=_time(told["Created"]) or _NEVER,
        started=_time(state.get("StartedAt") or ""),
        finished=_time(state.get("FinishedAt") or ""),
        labels=told["Config"].get("Labels") or {},
    )


def _time(text: str) -> datetime | None:
    """A time as Go writes it, with up to nine decimals; year 1 means never."""
    match = re.match(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)?$", text)
    if match is None or text.startswith("0001"):
        return None
    seconds, fraction, zone = match.groups()
    parsed = datetime.fromisoformat(
        f"{seconds}{(fraction or '.0')[:7]:0<7}{(zone or 'Z').replace('Z', '+00:00')}"
    )
    return parsed.astimezone(UTC)
