"""How stable are the places?"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from backend.results.questions.panel import Panel, Told, figure_of, names_of
from backend.results.report_tables import Column, Row, Table
from scoring.report.figures.blobs import median_place


def panels(told: Told) -> Iterator[Panel]:
    """The answer for one task of a report."""
    sure = told["uncertainty"]
    whole, names, places = sure["consensus"], names_of(told), told["ranking"]["consensus"]
    text = (
        f"The test cases are redrawn {sure['bootstraps']} times with replacement, for everybody the same. "
        f"The interval holds the places in {sure['level']:.0%} of the draws; where intervals overlap, the "
        "order may be chance."
    )
    if whole["undefined"] is not None:
        yield Panel("intervals", "Places with their intervals", text, undefined=whole["undefined"])
    else:
        yield Panel(
            "intervals",
            "Places with their intervals",
            text,
            _intervals(names, places, whole),
            figure_of(told, "places_with_intervals", "uncertainty"),
        )
        yield Panel(
            "blobs",
            "How often in which place",
            "The area of a circle is the share of the draws with that place; a cross marks the median.",
            _shares(names, places, whole["shares"]),
            figure_of(told, "blobs", "uncertainty"),
        )
    yield Panel(
        "agreement",
        "How much the draws agree with the board",
        "Kendall's τ-b of each draw's ranking with the one on the board; 1 is the same order.",
        _agreement(sure),
        figure_of(told, "violins", "uncertainty"),
    )
    yield from (_values(told, name, found) for name, found in sure["datasets"].items())
    if sure["leave_one_batch_out"]:
        yield Panel(
            "batches",
            "Leaving out one batch",
            "Everybody's place on a dataset, and the best and worst one when any single batch is left out.",
            _without_batches(told, sure["leave_one_batch_out"]),
        )


def _intervals(names: Sequence[str], places: Sequence[int], whole: Mapping[str, Any]) -> Table:
    columns = [
        Column("place", "Place", "place"),
        Column("team", "Team"),
        Column("first", "From place", "place"),
        Column("last", "To place", "place"),
        Column("median", "Median place", "place"),
    ]
    rows = [
        Row({"place": place, "team": name, "first": low, "last": high, "median": median_place(shares)})
        for name, place, (low, high), shares in zip(
            names, places, whole["intervals"], whole["shares"], strict=True
        )
    ]
    return Table(columns, rows)


def _shares(names: Sequence[str], places: Sequence[int], shares: Sequence[Sequence[float]]) -> Table:
    count = len(shares[0]) if shares else 0
    columns = [Column("place", "Place", "place"), Column("team", "Team")]
    columns += [
        Column(f"share.{number}", f"Share in place {number}", "share") for number in range(1, count + 1)
    ]
    rows = [
        Row({"place": place, "team": name, **{f"share.{n}": share for n, share in enumerate(row, start=1)}})
        for name, place, row in zip(names, places, shares, strict=True)
    ]
    return Table(columns, rows)


def _agreement(sure: Mapping[str, Any]) -> Table:
    found = {name: one["bootstraps"] for name, one in sure["datasets"].items()}
    rows = [_tau_row(name, one) for name, one in {**found, "Consensus": sure["consensus"]}.items()]
    columns = [
        Column("dataset", "Dataset"),
        Column("median", "Median τ-b", "figure"),
        Column("low", "From", "figure"),
        Column("high", "To", "figure"),
    ]
    return Table(columns, rows)


def _tau_row(name: str, one: Mapping[str, Any]) -> Row:
    tau = one if one["undefined"] is not None else one["tau_b"]
    if tau["undefined"] is not None:
        return Row({"dataset": name}, {"median": f"undefined: {tau['undefined']}"})
    low, high = tau["interval"]
    return Row({"dataset": name, "median": tau["median"], "low": low, "high": high})


def _values(told: Told, dataset: str, found: Mapping[str, Any]) -> Panel:
    results = next(one for one in told["results"] if (one["dataset"], one["stage"]) == (dataset, "test"))
    spans = found["bootstraps"].get("value_intervals") or [None] * len(told["entrants"])
    places = told["ranking"]["places"][dataset]
    columns = [
        Column("place", "Place", "place"),
        Column("team", "Team"),
        Column("ap", "Average precision", "figure"),
        Column("low", "From", "figure"),
        Column("high", "To", "figure"),
    ]
    rows = [
        Row(
            {
                "place": place,
                "team": name,
                "ap": figures["average_precision"]["value"],
                "low": span and span[0],
                "high": span and span[1],
            }
        )
        for name, place, figures, span in zip(names_of(told), places, results["entrants"], spans, strict=True)
    ]
    figure = figure_of(told, "dots_and_boxes", "results", dataset)
    text = f"{figure['caption'] if figure else ''} The table has the interval of the value over all draws."
    return Panel(f"values-{dataset}", f"Values on {dataset}", text.strip(), Table(columns, rows), figure)


def _without_batches(told: Told, left_out: Mapping[str, Any]) -> Table:
    columns = [
        Column("dataset", "Dataset"),
        Column("team", "Team"),
        Column("place", "Place", "place"),
        Column("best", "Best place", "place"),
        Column("worst", "Worst place", "place"),
    ]
    rows = [
        Row({"dataset": name, "team": team, "place": place, "best": best, "worst": worst})
        for name, one in left_out.items()
        if one["undefined"] is None
        for team, place, (best, worst) in zip(
            names_of(told), told["ranking"]["places"][name], one["ranges"], strict=True
        )
    ]
    lacking = [
        Row({"dataset": name}, {"place": f"undefined: {one['undefined']}"})
        for name, one in left_out.items()
        if one["undefined"] is not None
    ]
    return Table(columns, [*rows, *lacking])
