"""What a piece of work costs: CPU time, wall-clock time and peak memory, each in a fresh process of its own.

A measured function takes plain arguments, imports and warms up what it needs, and returns the work: a
function of nothing. Only the work is timed. The peak is that of the whole process, libraries included.
"""

import importlib
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True)
class Cost:
    """What the work gave, and what it took: CPU time (user and system), waiting, 10⁶ bytes at the peak."""

    value: Any
    cpu_s: float
    wall_s: float
    peak_mb: float


def cost(prepare: Callable[..., Callable[[], Any]] | str, *arguments: Any, cores: int | None = 1) -> Cost:
    """Call `prepare(*arguments)` in a fresh Python process, then time what it returns.

    `prepare` is a function of a module, or "module:function" where only the new process shall import it.
    Arguments and the work's value pass as JSON. `cores` is how many cores the process may use, None for all.
    Numerical libraries get one thread.

    Raises:
        RuntimeError: the process failed; the message holds what it wrote.
    """
    name = prepare if isinstance(prepare, str) else f"{prepare.__module__}:{prepare.__qualname__}"
    order = json.dumps([*name.split(":"), arguments, cores])
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.measure"],
        cwd=ROOT,
        env={**os.environ, **dict.fromkeys(_THREADS, "1")},
        input=order,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{name} ended with {done.returncode}:\n{done.stderr[-4000:]}")
    return Cost(**json.loads(done.stdout.splitlines()[-1]))


def median_of(costs: Sequence[Cost]) -> Cost:
    """Medians of what repeats of the same work took; raises `ValueError` where their values differ."""
    if any(one.value != costs[0].value for one in costs):
        raise ValueError(f"repeats gave different values: {[one.value for one in costs]}")
    return Cost(
        value=costs[0].value,
        cpu_s=median(one.cpu_s for one in costs),
        wall_s=median(one.wall_s for one in costs),
        peak_mb=median(one.peak_mb for one in costs),
    )


def spread(costs: Sequence[Cost]) -> float:
    """How far apart the CPU times of repeats lie: largest less smallest, as a share of the median."""
    times = [one.cpu_s for one in costs]
    return (max(times) - min(times)) / median(times)


def machine(libraries: Iterable[str]) -> list[str]:
    """Lines that say where figures come from: processor, cores, memory, load, versions."""
    versions = [f"{name} {version(name)}" for name in libraries]
    return [
        f"{_processor()}, {os.cpu_count()} cores, {_meminfo('MemTotal') / 1e9:.0f} GB of memory, "
        f"load {os.getloadavg()[0]:.1f}",
        ", ".join([f"Python {platform.python_version()}", *versions]),
    ]


def available_memory() -> int:
    """Bytes that processes can still take without anything being swapped out."""
    return _meminfo("MemAvailable")


def peak_memory() -> float:
    """Megabytes (10⁶ bytes) of this process at its largest.

    Not `ru_maxrss`: a child inherits that from the process that started it.
    """
    return _kilobytes(Path("/proc/self/status"), "VmHWM") * 1024 / 1e6


def _meminfo(key: str) -> int:
    return _kilobytes(Path("/proc/meminfo"), key) * 1024


def _kilobytes(path: Path, key: str) -> int:
    line = next(line for line in path.read_text().splitlines() if line.startswith(f"{key}:"))
    return int(line.split()[1])


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _child() -> None:
    module, name, arguments, cores = json.load(sys.stdin)
    if cores is not None:
        # The last ones: the first core serves more of the machine's interrupts.
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-cores:])
    work = getattr(importlib.import_module(module), name)(*arguments)
    wall, cpu = time.perf_counter(), _cpu_seconds()
    value = work()
    cpu, wall = _cpu_seconds() - cpu, time.perf_counter() - wall
    print(json.dumps({"value": value, "cpu_s": cpu, "wall_s": wall, "peak_mb": peak_memory()}))


if __name__ == "__main__":
    _child()
