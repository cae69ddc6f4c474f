"""What the reference methods find: networks beside what needs no network, on generated brains of 64³.

A dataset with every kind of anomaly at every difficulty is built here. Every method learns from its training
scans, networks in their small settings and with several seeds, each in a process of its own with one thread;
as many run at a time as there are cores. Nothing is tuned on these cases. The last line is one JSON object.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import mean

from rich import box
from rich.console import Console
from rich.table import Table

# A script's own folder comes first on its path, and there this file has the name of a package of ours.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import one_method
from benchmarks.measure import Cost, cost, machine
from benchmarks.one_method import DATASET, NETWORKS, SIMPLE
from challenges.spec import Challenge, load
from datasets import build
from datasets.manifest import Manifest
from reference_methods.common.cases import read

CHALLENGE = Path(__file__).resolve().parent.parent / "challenges/demo.yaml"
SECRET = b"what is measured is no secret"
FIGURES = ("pixel_ap", "sample_ap", "train_s", "case_s")
LIBRARIES = ("numpy", "scipy", "torch")

console = Console(width=140, highlight=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    started, options = time.monotonic(), _options(arguments)
    for line in machine(LIBRARIES):
        console.print(line)
    with tempfile.TemporaryDirectory(prefix="moodarena-benchmark-") as folder:
        described = _build(options.cases, Path(folder, "scans"))
        shares = _shares(described, Path(folder, "scans", DATASET))
        costs = _measure(options, Path(folder))
    told = {name: _figures(costs[name]) for name in costs}
    console.print(_table(told, shares, options.seeds))
    console.print(f"Measured in {(time.monotonic() - started) / 60:.0f} minutes on {options.device}")
    print(json.dumps(shares | told))
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="What the reference methods find, and what they take.")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each network")
    parser.add_argument("--steps", type=int, help="of every network, in place of its settings'")
    parser.add_argument("--cases", type=int, default=48, help="training scans, and test cases of each task")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="of the networks")
    parser.add_argument("--methods", nargs="+", choices=[*NETWORKS, *SIMPLE], default=[*NETWORKS, *SIMPLE])
    parser.add_argument("--quick", action="store_true", help="a few cases and steps: shows that it runs")
    options = parser.parse_args(arguments)
    if options.quick:
        options.seeds, options.steps, options.cases = 1, 2, 6
    return options


def _build(cases: int, out: Path) -> Manifest:
    console.print(f"[bold]▸ Building {cases} training scans, and as many test cases for each task[/bold]")
    challenge = _sized(load(CHALLENGE), cases)
    return build.build(challenge, SECRET, out, workers=os.cpu_count() or 1)[DATASET]


def _sized(challenge: Challenge, cases: int) -> Challenge:
    """The demo's brains with every kind of anomaly."""
    dataset = challenge.datasets[DATASET]
    counts = dataset.cases.model_copy(update={"training": cases, "test": {"sample": cases, "pixel": cases}})
    everything = {"local": ["all"], "global": ["all"]}
    dataset = dataset.model_copy(update={"cases": counts, "anomalies": everything})
    return challenge.model_copy(update={"datasets": {DATASET: dataset}})


def _shares(described: Manifest, data: Path) -> dict[str, float]:
    """What a method that knows nothing reaches."""
    masks = [
        float((read(data / case.mask.path).data > 0.5).mean())
        for case in described.cases_of("test", "pixel")
        if case.mask
    ]
    labels = [float(case.label or 0) for case in described.cases_of("test", "sample")]
    return {"positive_share": mean(masks), "abnormal_share": mean(labels)}


def _measure(options: argparse.Namespace, folder: Path) -> dict[str, list[Cost]]:
    """Every method with every seed; those that draw nothing once."""
    runs = [
        (name, seed) for name in options.methods for seed in range(options.seeds if name in NETWORKS else 1)
    ]
    data = str(folder / "scans" / DATASET)

    def one(run: tuple[str, int]) -> Cost:
        name, seed = run
        own = str(folder / f"{name}-{seed}")
        measured = cost(
            one_method.learn_and_ask, name, seed, options.steps, options.device, data, own, cores=None
        )
        told = ", ".join(f"{key} {value:.3g}" for key, value in measured.value.items())
        console.print(f"  {name}, seed {seed}: {told}, {measured.peak_mb:,.0f} MB")
        return measured

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        costs = list(pool.map(one, runs))
    return {
        name: [measured for (whose, _), measured in zip(runs, costs, strict=True) if whose == name]
        for name in options.methods
    }


def _figures(costs: Sequence[Cost]) -> dict[str, float | dict[str, float]]:
    """Means over seeds; for average precision the spread too, largest less smallest; the highest peak."""
    told: dict[str, float | dict[str, float]] = {}
    for name in FIGURES:
        values = [one.value[name] for one in costs]
        average = float(f"{mean(values):.4g}")
        spread = {"mean": average, "spread": float(f"{max(values) - min(values):.4g}")}
        told[name] = spread if name.endswith("_ap") else average
    return told | {"peak_mb": round(max(one.peak_mb for one in costs))}


def _table(told: Mapping[str, Mapping[str, object]], shares: Mapping[str, float], seeds: int) -> Table:
    """In Markdown, as the methods' README files have it."""
    title = (
        f"{shares['positive_share']:.4f} of the voxels and {shares['abnormal_share']:.2f} of the cases are "
        f"abnormal; networks: mean of {seeds} seeds (largest less smallest)"
    )
    headings = ("method", "pixel AP", "sample AP", "training, CPU s", "a case, CPU s", "peak, MB")
    table = Table(*headings, title=title, title_justify="left", box=box.MARKDOWN)
    for name, figures in told.items():
        table.add_row(name, *(_cell(figures[key], name in NETWORKS) for key in (*FIGURES, "peak_mb")))
    return table


def _cell(figure: object, drawn: bool) -> str:
    if isinstance(figure, dict):
        return f"{figure['mean']:.3f} ({figure['spread']:.3f})" if drawn else f"{figure['mean']:.3f}"
    return f"{figure:,.3g}" if isinstance(figure, float) else f"{figure:,}"


if __name__ == "__main__":
    sys.exit(main())
