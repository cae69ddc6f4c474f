"""How fast and how lean the pixel task is scored: us, the original evaluator, torchmetrics, and the floor.

Every figure is measured here and now. A batch of predictions is written for each kind of them, and every
repeat of every contender is a fresh process with one thread on one core. CPU time is user and system time
from the first file to the average precision; what is imported or compiled at a first call is so before.
Peak memory is that of the whole process. Figures are medians; the last line is one JSON object.
"""

import argparse
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from rich.console import Console

# A script's own folder comes first on its path, and there this file has the name of a package of ours.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.figures import (
    BESIDE_FLOOR,
    BESIDE_TWO,
    IN_DOUBLE,
    IN_SINGLE,
    Work,
    figures,
    largest_difference,
    table_of_batches,
    table_of_one_volume,
    taken_in_turns,
)
from benchmarks.measure import Cost, available_memory, machine, median_of, spread
from benchmarks.plan import Job, Plan, compile_beforehand, jobs
from benchmarks.volumes import DISTINCT

LOCK = Path(__file__).resolve().parent / "requirements.lock"
LIBRARIES = ("numpy", "numba", "isal", "nibabel", "scikit-learn")
TORCH = ("torch", "torchmetrics")
TOLERANCE = 1e-12
TOLERANCE_IN_SINGLE = 1e-5
# Measured: torchmetrics takes 34 bytes a voxel of a batch, the original 30. Files hold at most what is noise.
MEMORY_A_VOXEL = {True: 36, False: 32}
FILES_A_VOXEL = DISTINCT * (4 + 2 + 8 + 4)

console = Console(width=160, highlight=False, soft_wrap=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return how the script ends: with 0, or with 1 where values disagree."""
    started = time.monotonic()
    plan = _plan(arguments)
    if plan.torchmetrics:
        _see_to_torchmetrics()
    with tempfile.TemporaryDirectory(prefix="moodarena-benchmark-") as folder:
        _check_room(plan, Path(folder))
        for line in machine([*LIBRARIES, *(TORCH if plan.torchmetrics else ())]):
            console.print(line)
        _say(f"Writing {plan.cases} masks and, of each kind, {DISTINCT} volumes of {plan.size}³ to share")
        rng = np.random.default_rng(plan.seed)
        compile_beforehand(Path(folder, "small"), rng)
        repeats = _measure(jobs(plan, Path(folder), rng))
    _say(f"Measured in {(time.monotonic() - started) / 60:.0f} minutes")
    return _tell(plan, repeats)


def _plan(arguments: Sequence[str] | None) -> Plan:
    parser = argparse.ArgumentParser(description="How fast and how lean the pixel task is scored.")
    parser.add_argument("--repeats", type=int, default=Plan.repeats, help="of us and of the floor")
    parser.add_argument("--slow-repeats", type=int, default=Plan.slow_repeats, help="of the original")
    parser.add_argument("--thorough", action="store_true", help="everybody on every kind of predictions")
    parser.add_argument("--without-torchmetrics", action="store_true", help="which is not installed then")
    parser.add_argument("--quick", action="store_true", help="tiny volumes, once: shows that it runs")
    given = parser.parse_args(arguments)
    common = {"torchmetrics": not given.without_torchmetrics, "thorough": given.thorough}
    if given.quick:
        return Plan(cases=5, size=32, large=64, repeats=1, slow_repeats=1, **common)
    return Plan(repeats=given.repeats, slow_repeats=given.slow_repeats, **common)


def _say(text: str) -> None:
    console.print(f"[bold]▸ {text}[/bold]")


def _see_to_torchmetrics() -> None:
    if all(map(find_spec, TORCH)):
        return
    _say("Installing torch and torchmetrics, which only this needs (--without-torchmetrics declines)")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "-r", str(LOCK)]
    if subprocess.run(pip).returncode != 0:
        sys.exit("torch could not be installed; --without-torchmetrics leaves it out.")


def _check_room(plan: Plan, folder: Path) -> None:
    memory = MEMORY_A_VOXEL[plan.torchmetrics] * plan.cases * plan.size**3
    files = FILES_A_VOXEL * plan.size**3 + 2 * plan.large**3
    for what, needed, free in (
        ("memory for one batch by the original or by torchmetrics", memory, available_memory()),
        (f"room for predictions in {folder.parent}", files, shutil.disk_usage(folder).free),
    ):
        if free < needed:
            sys.exit(f"{needed / 1e9:.1f} GB of {what} are needed, and {free / 1e9:.1f} GB are free.")


def _measure(planned: Sequence[Job]) -> dict[Work, list[Cost]]:
    """Everybody once, then everybody who has a repeat left: a disturbance meets all of them alike."""
    costs: dict[Work, list[Cost]] = {job.work: [] for job in planned if job.repeats}
    for number in range(max(job.repeats for job in planned)):
        round_of = [job for job in planned if number < job.repeats]
        _say(f"Round {number + 1}: {len(round_of)} measurements")
        for job in round_of:
            costs[job.work].append(job.cost())
            _say_cost(job.work, costs[job.work][-1])
    return costs


def _say_cost(work: Work, one: Cost) -> None:
    name = f"{work.contender}, {work.kind}, {work.dtype}"
    console.print(f"  {name:<45}{one.cpu_s:9.3f} s CPU {one.wall_s:9.3f} s wall {one.peak_mb:9,.0f} MB")


def _tell(plan: Plan, repeats: Mapping[Work, Sequence[Cost]]) -> int:
    over_floor, over_two = (taken_in_turns(repeats, name) for name in (BESIDE_FLOOR, BESIDE_TWO))
    timed = (work for work in repeats if work.contender not in (BESIDE_FLOOR, BESIDE_TWO))
    medians = {work: median_of(repeats[work]) for work in timed}
    told = figures(medians, over_floor, over_two)
    title = f"One batch of {plan.cases} volumes of {plan.size}³, CPU time"
    console.print(table_of_batches(medians, over_floor, over_two, title))
    console.print(table_of_one_volume(medians, f"One float32 volume of {plan.size}³ in memory, CPU time"))
    console.print(_about_memory(plan, told["peak_mb"], told["peak_mb_512"], told["original_peak_mb"]))
    widest = max(spread(costs) for work, costs in repeats.items() if work in medians)
    console.print(f"CPU times of repeats lie at most {widest:.0%} of their median apart")
    agreed = _agreed("scikit-learn", largest_difference(medians, IN_DOUBLE), TOLERANCE)
    if plan.torchmetrics:
        single = largest_difference(medians, IN_SINGLE)
        agreed &= _agreed("torchmetrics, in float32", single, TOLERANCE_IN_SINGLE)
    print(json.dumps({key: float(f"{value:.4g}") for key, value in told.items()}))
    return 0 if agreed else 1


def _about_memory(plan: Plan, ours: float, large: float, original: float) -> str:
    return (
        f"Peak memory: {ours:.0f} MB by us, {large:.0f} MB with volumes of {plan.large}³; "
        f"{original:,.0f} MB by the original, × {original / ours:.1f}"
    )


def _agreed(whom: str, difference: float, tolerance: float) -> bool:
    console.print(f"Largest difference from {whom}: {difference:.1e} (at most {tolerance:.0e})")
    return difference <= tolerance


if __name__ == "__main__":
    # Ended from outside, it still removes its files.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    sys.exit(main())
