"""What a case costs at the original challenge's size, and what a Poisson patch does beside sparse solvers.

A case is made as the build makes it: person, anomaly, finaliser, compressed files. Every repeat is a fresh
process with one thread on one core; a small case comes first in each, so that the atlas is at hand and all
is compiled. Figures are medians of repeats, and of the kinds the least favourable. The last line is one
JSON object.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

# A script's own folder comes first on its path, and there this file has the name of a package of ours.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import blending, one_case
from benchmarks.measure import Cost, cost, machine, median_of
from datasets.anomalies.corruptions.poisson_patch import smooth_size

# Of all kinds (--all) these take most time or memory, and some stand for the others.
KINDS = {
    "brain": (
        *("normal", "local/ring-enhancing-tumour", "local/glioma", "local/poisson-patch"),
        *("global/atrophy", "global/rotation", "global/smooth-warp", "global/blur"),
    ),
    "abdom": (
        *("normal", "local/poisson-patch", "local/liver-metastases"),
        *("global/ascites", "global/rotation", "global/blur"),
    ),
}
NAMES = {"brain": "brain", "abdom": "abdomen"}
SIZES = {"brain": 256, "abdom": 512}
REGION = 64
SMALL = 24  # what the direct solver gets: at 64 it would take many minutes
TIMES = 20
RESIDUAL, SINGLE, DIFFERENCE = 1e-10, 1e-6, 1e-7

console = Console(width=120, highlight=False)


@dataclass(frozen=True)
class Speed:
    """Seconds of one blending in float64, how many times slower the others are, and agreement."""

    seconds: float
    iterated: float
    direct: float
    residual: float
    single: float
    difference: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return how the script ends: with 0, or with 1 where values disagree."""
    parser = argparse.ArgumentParser(description="What a case costs, and a Poisson patch.")
    parser.add_argument(
        "--repeats", type=int, default=3, help="of each case of a brain; abdomens are made once"
    )
    parser.add_argument("--all", action="store_true", help="every kind instead of some")
    parser.add_argument("--dataset", choices=sorted(KINDS), action="append", help="only this one")
    parser.add_argument("--quick", action="store_true", help="tiny volumes, once: shows that it runs")
    given = parser.parse_args(arguments)
    for line in machine(["numpy", "scipy", "numba", "isal"]):
        console.print(line)
    told: dict[str, float] = {}
    for slug in given.dataset or KINDS:
        sides, repeats = (48, 1) if given.quick else (SIZES[slug], given.repeats if slug == "brain" else 1)
        kinds = one_case.kinds(slug) if given.all else KINDS[slug]
        costs = _cases(slug, kinds, sides, repeats)
        name = f"{NAMES[slug]}{SIZES[slug]}"
        told[f"{name}_cpu_s"] = max(one.cpu_s for one in costs.values())
        told[f"{name}_peak_mb"] = max(one.peak_mb for one in costs.values())
    speed = _blending(3 if given.quick else 9)
    told |= {"poisson_speedup": speed.iterated, "poisson_residual": speed.residual}
    print(json.dumps({key: float(f"{value:.4g}") for key, value in told.items()}))
    agreed = speed.residual <= RESIDUAL and speed.single <= SINGLE and speed.difference <= DIFFERENCE
    return 0 if agreed else 1


def _cases(slug: str, kinds: Sequence[str], sides: int, repeats: int) -> dict[str, Cost]:
    """What each kind costs; a case made twice has to be the same."""
    table = Table("kind", title=f"One case of {slug}, {sides}³", title_justify="left")
    for heading in ("CPU, s", "wall, s", "peak, MB"):
        table.add_column(heading, justify="right")
    cost(one_case.case, slug, "normal", "easy", one_case.WARM)  # the atlas, kept for the others
    found = {}
    for kind in kinds:
        one = median_of([cost(one_case.case, slug, kind, "medium", sides) for _ in range(repeats)])
        found[kind] = one
        table.add_row(kind, f"{one.cpu_s:.2f}", f"{one.wall_s:.2f}", f"{one.peak_mb:,.0f}")
        console.print(f"  {kind:<40}{one.cpu_s:9.2f} s CPU {one.wall_s:9.2f} s wall {one.peak_mb:9,.0f} MB")
    console.print(table)
    middle = median(one.cpu_s for one in found.values())
    console.print(f"Median over the kinds: {middle:.2f} s CPU")
    return found


def _blending(repeats: int) -> Speed:
    """A box that is at least `REGION`³ with its border, of a side that kinds would choose."""
    side = next(n for n in range(REGION, 2 * REGION) if smooth_size(n) == n)
    seconds = {
        (n, dtype): median(cost(blending.by_sines, n, dtype, TIMES).cpu_s for _ in range(repeats)) / TIMES
        for n, dtype in ((side, "float64"), (side, "float32"), (SMALL, "float64"))
    }
    iterated, direct = cost(blending.by_conjugate_gradients, side), cost(blending.by_elimination, SMALL)
    agreed = blending.agreement(side)
    speed = Speed(
        seconds[side, "float64"],
        iterated.cpu_s / seconds[side, "float64"],
        direct.cpu_s / seconds[SMALL, "float64"],
        agreed["residual"],
        agreed["float32"],
        max(iterated.value, direct.value),
    )
    console.print(
        f"A Poisson patch of {side}³: {1000 * speed.seconds:.1f} ms in float64, "
        f"{1000 * seconds[side, 'float32']:.1f} ms in float32; conjugate gradients {iterated.cpu_s:.2f} s, "
        f"× {speed.iterated:.0f}; at {SMALL}³ a direct sparse solver × {speed.direct:.0f}"
    )
    console.print(
        f"Residual {speed.residual:.1e} of the range (at most {RESIDUAL:.0e}); float32 {speed.single:.1e} "
        f"off (at most {SINGLE:.0e}); sparse solvers {speed.difference:.1e} off (at most {DIFFERENCE:.0e})"
    )
    return speed


if __name__ == "__main__":
    sys.exit(main())
