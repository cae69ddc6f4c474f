"""The sandbox: which container the engine is asked for for a stranger's image. Pure; nothing runs here.

The sizes come from the challenge's limits; everything else is the same for every challenge.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from challenges.spec import Limits
from submissions.engine import Facts

USER = 65534
HOSTNAME = "moodarena"
SECCOMP = Path(__file__).with_name("seccomp.json")
VOLUME_MASK_BYTES = 1 << 20

# RLIMIT_NPROC counts all processes of the user on the host, so of all sandboxes together; what limits one
# sandbox is its pids limit.
SANDBOXES_PER_HOST = 16

_MASKED = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
]


@dataclass(frozen=True)
class Job:
    """One container to run.

    Attributes:
        name: unique and stable over restarts of the worker; letters, digits, `.`, `_`, `-`. Container, volume
            and output file carry it.
        image_id: `sha256:...`, never a tag.
        command: the argument vector; the image's entry point is not used.
        input_dir: folder of the cases on the engine's host, readable for everybody; mounted read-only.
        input, output: where the container sees cases and puts predictions.
        cases: how many cases there are in `input_dir`; time and output grow with it.
        labels: further labels, such as run, token and slot.
        image_volumes: the `VOLUME`s of the image; each is covered.
        gpu: UUID of the only GPU the container may use.
    """

    name: str
    image_id: str
    command: Sequence[str]
    input_dir: Path
    input: str
    output: str
    limits: Limits
    cases: int
    labels: Mapping[str, str] = field(default_factory=dict)
    image_volumes: Sequence[str] = ()
    gpu: str | None = None

    @property
    def seconds(self) -> int:
        """How long the container may run."""
        return self.cases * self.limits.seconds_per_case

    @property
    def output_bytes(self) -> int:
        """How much the container may write to its output folder."""
        return self.cases * self.limits.output_per_case


def create_request(
    job: Job, facts: Facts, labels: Mapping[str, str], volume: str, extra_memory: int = 0
) -> dict[str, Any]:
    """The API request that creates the container of `job`, writing to the engine's volume `volume`.

    `extra_memory` (bytes) is added to the memory limit where the output folder itself is memory.
    """
    host = _host_config(job, facts, extra_memory)
    host["Mounts"] = [_bind(job)]
    _mount_output(host, facts, volume, job.output)
    return _request(job, labels, list(job.command), host)


def keeper_request(job: Job, facts: Facts, labels: Mapping[str, str], volume: str) -> dict[str, Any]:
    """The request for a container that only keeps a volume in memory mounted: it waits for input, forever."""
    host = _host_config(job, facts, 0)
    _mount_output(host, facts, volume, job.output)
    return {**_request(job, labels, ["sh", "-c", "read x"], host), "OpenStdin": True}


def _request(
    job: Job, labels: Mapping[str, str], command: list[str], host: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "Image": job.image_id,
        "Entrypoint": command[:1],
        "Cmd": command[1:],
        "User": f"{USER}:{USER}",
        "Hostname": HOSTNAME,
        "Domainname": "",
        "NetworkDisabled": True,
        "Env": _environment(job),
        "Healthcheck": {"Test": ["NONE"]},
        "Labels": dict(labels),
        "HostConfig": host,
    }


def _environment(job: Job) -> list[str]:
    folders = ("HOME", "TMPDIR", "MPLCONFIGDIR", "NUMBA_CACHE_DIR", "TRITON_CACHE_DIR")
    return [
        *(f"{name}=/tmp" for name in folders),
        f"OMP_NUM_THREADS={max(1, math.floor(job.limits.cpus))}",
        f"NVIDIA_VISIBLE_DEVICES={job.gpu or 'void'}",
        "NVIDIA_DRIVER_CAPABILITIES=compute,utility",
    ]


def _host_config(job: Job, facts: Facts, extra_memory: int) -> dict[str, Any]:
    limits = job.limits
    memory = limits.memory + extra_memory
    return {
        "NetworkMode": "none",
        "IpcMode": "private",
        "CgroupnsMode": "private",
        "Init": True,
        "ReadonlyRootfs": True,
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges", f"seccomp={_seccomp(facts)}"],
        "MaskedPaths": _MASKED,
        "RestartPolicy": {"Name": "no"},
        "Memory": memory,
        "MemorySwap": memory,
        "PidsLimit": limits.pids,
        "NanoCpus": int(min(limits.cpus, facts.cpus) * 1e9),
        "ShmSize": limits.shared_memory,
        "OomScoreAdj": 1000,
        "Ulimits": _ulimits(limits),
        "Tmpfs": _tmpfs(job, facts),
        "LogConfig": _log(limits),
        "DeviceRequests": _gpu(job.gpu),
    }


def _seccomp(facts: Facts) -> str:
    """Docker wants the profile itself, Podman a path on its host."""
    return str(SECCOMP) if facts.podman else SECCOMP.read_text(encoding="utf-8")


def _ulimits(limits: Limits) -> list[dict[str, Any]]:
    values = {
        "core": 0,
        "fsize": limits.file_size,
        "nofile": limits.open_files,
        "nproc": limits.pids * SANDBOXES_PER_HOST,
    }
    return [{"Name": name, "Soft": value, "Hard": value} for name, value in values.items()]


def _tmpfs(job: Job, facts: Facts) -> dict[str, str]:
    """Everything writable but the output. Podman knows no inode limit: there memory alone limits inodes."""
    limits = job.limits
    inodes = "" if facts.podman else f",nr_inodes={limits.temporary_inodes}"
    mask = f"rw,nosuid,nodev,noexec,size={VOLUME_MASK_BYTES}{inodes and ',nr_inodes=256'}"
    masked = {str(PurePosixPath("/", path)) for path in job.image_volumes}
    if facts.podman:
        masked |= {"/run", "/var/tmp"}  # it makes these writable without a limit
    ours = {"/tmp", "/dev/shm", job.input, job.output}
    return {
        **{path: mask for path in sorted(masked - ours)},
        "/tmp": f"rw,nosuid,nodev,exec,mode=1777,size={limits.temporary}{inodes}",
    }


def _log(limits: Limits) -> dict[str, Any]:
    options = {
        "max-size": str(limits.log),
        "max-file": "1",
        "mode": "non-blocking",
        "max-buffer-size": "1048576",
    }
    return {"Type": "json-file", "Config": options}


def _gpu(uuid: str | None) -> list[dict[str, Any]]:
    if uuid is None:
        return []
    return [{"DeviceIDs": [uuid], "Capabilities": [["gpu", "compute", "utility"]]}]


def _bind(job: Job) -> dict[str, Any]:
    return {
        "Type": "bind",
        "Source": str(job.input_dir.absolute()),
        "Target": job.input,
        "ReadOnly": True,
        "BindOptions": {"Propagation": "rprivate"},
    }


def _mount_output(host: dict[str, Any], facts: Facts, volume: str, target: str) -> None:
    """Podman takes the mount flags here and not from the volume; Docker the other way round."""
    if facts.podman:
        host["Binds"] = [f"{volume}:{target}:rw,nosuid,nodev,noexec"]
        return
    mount = {"Type": "volume", "Source": volume, "Target": target, "VolumeOptions": {"NoCopy": True}}
    host.setdefault("Mounts", []).append(mount)
