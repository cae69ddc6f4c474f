"""From what contenders cost to the figures that are told: ratios, peaks, agreement, and tables of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from rich.table import Table

from benchmarks.measure import Cost

# Contenders that compute the same in float64. torchmetrics divides in float32 and is held against us apart.
IN_DOUBLE = (("original", "ours"), ("exact by scikit-learn", "exact by us"))
IN_SINGLE = (("torchmetrics", "ours"), ("exact by torchmetrics", "exact by us"))
# Their values are what they measure, taken in turns: our CPU time over the floor's, and the wall-clock time
# of one process over that of two.
BESIDE_FLOOR, BESIDE_TWO = "ours beside the floor", "one process beside two"
# The name of a figure, and whose CPU time is divided by whose.
RATIOS = (
    ("speedup", "original", "ours"),
    ("torchmetrics_speedup", "torchmetrics", "ours"),
    ("float32_speedup", "exact by scikit-learn", "exact by us"),
    ("torchmetrics_float32_speedup", "exact by torchmetrics", "exact by us"),
    ("torchmetrics_binned_speedup", "binned by torchmetrics", "exact by us"),
)


@dataclass(frozen=True)
class Work:
    """Who did what: a contender, and the kind of predictions it was given."""

    contender: str
    kind: str
    dtype: str = "float32"


Medians = Mapping[Work, Cost]
Ratios = Mapping[Work, float]


def taken_in_turns(repeats: Mapping[Work, Sequence[Cost]], contender: str) -> dict[Work, float]:
    """Medians of the ratios to us that a contender measured, by our work."""
    return {
        replace(work, contender="ours"): median(one.value for one in costs)
        for work, costs in repeats.items()
        if work.contender == contender
    }


def figures(medians: Medians, over_floor: Ratios, over_two: Ratios) -> dict[str, float]:
    """What the last line says: ratios of CPU times (of wall-clock times for two processes), and 10⁶ bytes.

    A figure without a kind of predictions in its name is the least favourable one.
    """
    told = {
        f"{name}_{kind}": one.cpu_s / other.cpu_s
        for name, above, below in RATIOS
        for kind, one, other in _pairs(medians, above, below)
    }
    told |= {f"floor_ratio_{_named(work)}": ratio for work, ratio in over_floor.items()}
    told |= {f"two_processes_{_named(work)}": ratio for work, ratio in over_two.items()}
    if torch := _peaks(medians, "torchmetrics"):
        told["torchmetrics_peak_mb"] = min(torch)
    for name in ("two_processes", "float32_speedup"):
        told[name] = min(value for key, value in told.items() if key.startswith(f"{name}_"))
    return {
        **told,
        "peak_mb": max(_peaks(medians, "ours")),
        "peak_mb_512": max(_peaks(medians, "ours, a large volume")),
        "original_peak_mb": min(_peaks(medians, "original")),
        "largest_difference": largest_difference(medians, IN_DOUBLE),
    }


def largest_difference(medians: Medians, contenders: tuple[tuple[str, str], ...]) -> float:
    """Between the values of any of these pairs, where both were measured."""
    pairs = [pair for names in contenders for pair in _pairs(medians, *names)]
    return max((abs(one.value - other.value) for _, one, other in pairs), default=0.0)


def table_of_batches(medians: Medians, over_floor: Ratios, over_two: Ratios, title: str) -> Table:
    """CPU seconds of one batch by every contender, ratios, and peak memory in 10⁶ bytes."""
    table = _table(
        title,
        *("us, s", "floor, s", "us / floor", "original, s", "original / us", "torchmetrics, s"),
        *("torchm. / us", "two processes", "MB: us", "original", "torchm."),
    )
    for work, us in medians.items():
        if work.contender == "ours":
            floor, original, torch = (
                medians.get(replace(work, contender=name)) for name in ("floor", "original", "torchmetrics")
            )
            table.add_row(
                f"{work.kind}, {work.dtype}",
                *(_seconds(us), _seconds(floor), f"× {over_floor[work]:.2f}"),
                *(_seconds(original), _ratio(original, us)),
                *(_seconds(torch), _ratio(torch, us), f"× {over_two[work]:.2f}"),
                *(_megabytes(us), _megabytes(original), _megabytes(torch)),
            )
    return table


def table_of_one_volume(medians: Medians, title: str) -> Table:
    """CPU seconds of the average precision of one volume in memory by every contender, and ratios."""
    peers = ("exact by scikit-learn", "exact by torchmetrics", "binned by torchmetrics")
    table = _table(
        title, "exact by us, s", *(heading for name in peers for heading in (f"{name}, s", "/ us"))
    )
    for work, us in medians.items():
        if work.contender == "exact by us":
            costs = [medians.get(replace(work, contender=name)) for name in peers]
            cells = [cell for cost in costs for cell in (_seconds(cost), _ratio(cost, us))]
            table.add_row(work.kind, _seconds(us), *cells)
    return table


def _pairs(medians: Medians, one: str, other: str) -> Iterator[tuple[str, Cost, Cost]]:
    """Costs of two contenders where both were measured, with a name as `dense` or `dense_float64`."""
    for work, cost in medians.items():
        partner = medians.get(replace(work, contender=other))
        if work.contender == one and partner:
            yield _named(work), cost, partner


def _named(work: Work) -> str:
    return work.kind if work.dtype == "float32" else f"{work.kind}_{work.dtype}"


def _peaks(medians: Medians, contender: str) -> list[float]:
    return [cost.peak_mb for work, cost in medians.items() if work.contender == contender]


def _table(title: str, *headings: str) -> Table:
    table = Table("predictions", title=title, title_justify="left")
    for heading in headings:
        table.add_column(heading, justify="right")
    return table


def _seconds(cost: Cost | None) -> str:
    return f"{cost.cpu_s:.3f}" if cost else "–"


def _megabytes(cost: Cost | None) -> str:
    return f"{cost.peak_mb:,.0f}" if cost else "–"


def _ratio(one: Cost | None, other: Cost | None) -> str:
    return f"× {one.cpu_s / other.cpu_s:.2f}" if one and other else "–"
