"""What organizers ask of results, question by question: a figure of the report, and the same as a table."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend.results.report_tables import Column, Row, Table, Target
from scoring.report.board import TITLES
from scoring.report.drawings import SERIES_LABELS, STEP_TITLES, drawing
from scoring.report.figures.blobs import median_place

Told = Mapping[str, Any]
"""A task of the report's document."""

GROUPINGS = {
    "category": "Categories",
    "kind": "Kinds of anomaly",
    "difficulty": "Difficulty as people perceive it",
}
CURVES = {"size": "Volume of the anomaly, mm³", "contrast": "Intensity of the anomaly"}


@dataclass(frozen=True)
class Panel:
    """One figure with its table. `undefined` says why there is none; `links` are those of its cells."""

    id: str
    title: str
    text: str
    table: Table | None = None
    figure: Mapping[str, Any] | None = None
    undefined: str | None = None
    links: Sequence[Sequence[Target]] | None = None


def panels(question: str, told: Told) -> list[Panel]:
    """The panels of a question about a task. KeyError where there is no such question."""
    return list(_ANSWERS[question](told))


def names_of(told: Told) -> list[str]:
    """What entrants are called, in the order of the board."""
    return [entrant["name"] for entrant in told["entrants"]]


def _teams(told: Told) -> list[Column]:
    return [
        Column(f"team.{entrant['submission']}", entrant["name"], "figure", True)
        for entrant in told["entrants"]
    ]


def _by_team(told: Told, values: Sequence[Any]) -> dict[str, Any]:
    return {column.key: value for column, value in zip(_teams(told), values, strict=True)}


def _figure(told: Told, kind: str, section: str, dataset: str | None = None, title: str = "") -> Any:
    """A figure of the report, None where it drew none."""
    return next(
        (
            one
            for one in told["figures"]
            if (one["figure"], one["section"], one["dataset"]) == (kind, section, dataset)
            and one["title"].startswith(title)
        ),
        None,
    )


# --- how stable are the places? ---


def _stability(told: Told) -> Iterator[Panel]:
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
            _figure(told, "places_with_intervals", "uncertainty"),
        )
        yield Panel(
            "blobs",
            "How often in which place",
            "The area of a circle is the share of the draws with that place; a cross marks the median.",
            _shares(names, places, whole["shares"]),
            _figure(told, "blobs", "uncertainty"),
        )
    yield Panel(
        "agreement",
        "How much the draws agree with the board",
        "Kendall's τ-b of each draw's ranking with the one on the board; 1 is the same order.",
        _agreement(sure),
        _figure(told, "violins", "uncertainty"),
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
    figure = _figure(told, "dots_and_boxes", "results", dataset)
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


# --- who beats whom? ---

TESTS = {
    "paired_bootstrap": "the cases are redrawn, for both the same, and the draws counted",
    "wilcoxon_signed_rank": "Wilcoxon's signed-rank test over the batches",
}


def _significance(told: Told) -> Iterator[Panel]:
    for name, found in told["uncertainty"]["datasets"].items():
        tests, title = found["tests"], f"Who beats whom on {name}"
        if tests["undefined"] is not None:
            yield Panel(f"tests-{name}", title, "", undefined=tests["undefined"])
            continue
        text = (
            f"A filled cell: the row is better than the column beyond chance, p below "
            f"{told['uncertainty']['significant_below']} after Holm's correction for all pairs; "
            f"{TESTS.get(tests['test'], tests['test'])} (n = {tests['n']}). "
            f"{_alike(told, tests['groups'])}"
        )
        figure = _figure(told, "significance_map", "uncertainty", name)
        yield Panel(f"tests-{name}", title, text, _pairs(told, tests), figure)


def _alike(told: Told, groups: Sequence[Sequence[int]]) -> str:
    names = names_of(told)
    found = [", ".join(names[index] for index in group) for group in groups if len(group) > 1]
    return f"Not told apart: {'; '.join(found)}." if found else "Everybody is told apart from everybody else."


def _pairs(told: Told, tests: Mapping[str, Any]) -> Table:
    names = names_of(told)
    columns = [
        Column("better", "Better"),
        Column("worse", "Worse"),
        Column("p", "p", "p"),
        Column("adjusted", "p, corrected", "p"),
        Column("significant", "Significant", "flag"),
    ]
    rows = [
        Row(
            {
                "better": names[a],
                "worse": names[b],
                **{key: tests[key][a][b] for key in ("p", "adjusted", "significant")},
            }
        )
        for a in range(len(names))
        for b in range(len(names))
        if a != b
    ]
    return Table(columns, rows).sorted("p")


# --- does the way to rank matter? ---


def _methods(told: Told) -> Iterator[Panel]:
    ranking = told["ranking"]
    ways = [way for way in ranking["methods"] if way["places"] is not None]
    columns = [Column("team", "Team")]
    columns += [Column(way["method"], way["title"], "place") for way in ways]
    rows = [
        Row({"team": name, **{way["method"]: way["places"][index] for way in ways}})
        for index, name in enumerate(names_of(told))
    ]
    yield Panel(
        "places",
        "Places under other ways to rank",
        "The first way counts. Level lines: the choice does not matter to that team.",
        Table(columns, rows),
        _figure(told, "ranking_methods", "ranking"),
    )
    yield Panel(
        "agreement",
        "Agreement with the ranking that counts",
        "Kendall's τ-b with the mean of places; 1 is the same order.",
        _taus(ranking),
    )


def _taus(ranking: Mapping[str, Any]) -> Table:
    rows = []
    for way, tau in zip(ranking["methods"], ranking["tau_b"][0], strict=True):
        why = way["undefined"] or tau["undefined"]
        note = {"tau": f"undefined: {why}"} if tau["value"] is None else {}
        rows.append(Row({"method": TITLES[way["method"]][0], "tau": tau["value"]}, note))
    return Table([Column("method", "Way to rank"), Column("tau", "τ-b", "figure")], rows[1:])


# --- which anomalies does who find? ---


def _categories(told: Told) -> Iterator[Panel]:
    for name, groupings in told["groups"].items():
        for grouping, title in GROUPINGS.items():
            yield group_panel(told, name, grouping, groupings[grouping], title)
    for name, sets in told["analysis"]["datasets"].items():
        found = sets.get("equal-counts", {}).get("groups", {})
        for grouping in ("category", "kind"):
            if found.get(grouping, {}).get("groups"):
                yield _equal_counts(told, name, grouping, found[grouping])


def group_panel(told: Told, dataset: str, grouping: str, found: Mapping[str, Any], title: str) -> Panel:
    """The heat map of a grouping; its cells lead to their cases."""
    id_, title = f"{grouping}-{dataset}", f"{title}, {dataset}"
    if found["undefined"] is not None:
        return Panel(id_, title, "", undefined=found["undefined"])
    targets = [
        {"dataset": dataset, "grouping": grouping, "group": group["name"]} for group in found["groups"]
    ]
    return Panel(
        id_,
        title,
        "Average precision among as many normal as abnormal cases, the same ones for everybody. "
        "A cell leads to its cases.",
        _groups(told, found["groups"], [Column("group", grouping.capitalize())], targets),
        _figure(told, "heat_map", "categories", dataset, title),
        links=[[target] * len(told["entrants"]) for target in targets],
    )


def _equal_counts(told: Told, dataset: str, grouping: str, found: Mapping[str, Any]) -> Panel:
    title = f"{GROUPINGS[grouping]}, equal counts, {dataset}"
    return Panel(
        f"{grouping}-equal-{dataset}",
        title,
        "The same on the analysis set that has as many cases of each kind; it never counts.",
        _groups(told, found["groups"], [Column("group", grouping.capitalize())]),
        _figure(told, "heat_map", "analysis", dataset, title),
    )


def _groups(
    told: Told,
    groups: Sequence[Mapping[str, Any]],
    named: Sequence[Column],
    targets: Sequence[Target] = (),
) -> Table:
    shared = any("positive_share" in group for group in groups)
    columns = [
        *named,
        Column("abnormal", "Abnormal", "count"),
        Column("normal", "Normal", "count"),
        *([Column("chance", "Chance", "share")] if shared else []),
        *_teams(told),
        Column("median", "Median", "figure"),
    ]
    rows = [
        _group_row(told, group, targets[number] if targets else None) for number, group in enumerate(groups)
    ]
    return Table(columns, rows)


def _group_row(told: Told, group: Mapping[str, Any], target: Target | None) -> Row:
    found = group["average_precision"]
    cells = {
        "group": group.get("name"),
        "low": group.get("low"),
        "high": group.get("high"),
        "abnormal": group["abnormal"],
        "normal": group["normal"],
        "chance": group.get("positive_share"),
        "median": found["median"],
        **_by_team(told, [one["value"] for one in found["entrants"]]),
    }
    linked = [column.key for column in _teams(told)]
    return Row(cells, links=dict.fromkeys(["group", *linked], target) if target else {})


# --- how do size and contrast matter? ---


def _curves(told: Told) -> Iterator[Panel]:
    for name, groupings in told["groups"].items():
        for grouping, label in CURVES.items():
            found, id_, title = groupings[grouping], f"{grouping}-{name}", f"By {grouping}, {name}"
            if found["undefined"] is not None:
                yield Panel(id_, title, "", undefined=found["undefined"])
                continue
            named = [Column("low", f"{label}: from", "count"), Column("high", "to", "count")]
            table, figure = (
                _groups(told, found["groups"], named),
                _figure(told, "curves", "categories", name, title),
            )
            yield Panel(
                id_, title, "Each point is a bin of test cases, among as many normal ones.", table, figure
            )
    for name, sets in told["analysis"]["datasets"].items():
        for series, label in SERIES_LABELS.items():
            if series in sets:
                yield from _series(told, name, series, label, sets[series])


def _series(told: Told, dataset: str, name: str, label: str, found: Mapping[str, Any]) -> Iterator[Panel]:
    first = found["entrants"][0] if found["entrants"] else {}
    for key in first:
        title = f"{STEP_TITLES[key]}, {name.replace('-', ' ')}, {dataset}"
        columns = [Column("step", label, "count"), *_teams(told)]
        rows = []
        for number, step in enumerate(found["steps"]):
            told_ = [one[key][number] for one in found["entrants"]]
            notes = {
                column.key: f"undefined: {one['undefined']}"
                for column, one in zip(_teams(told), told_, strict=True)
                if one["value"] is None
            }
            rows.append(
                Row({"step": step["value"], **_by_team(told, [one["value"] for one in told_])}, notes)
            )
        figure = _figure(told, "curves", "analysis", dataset, title)
        text = "The analysis set that never counts: one scan with one sphere a point."
        yield Panel(f"{name}-{key.replace('_', '-')}-{dataset}", title, text, Table(columns, rows), figure)


# --- would other cases rank alike? ---


def _others(told: Told) -> Iterator[Panel]:
    toys = {one["dataset"]: one for one in told["results"] if one["stage"] == "toy"}
    for one in told["results"]:
        if one["stage"] == "test" and one["dataset"] in toys:
            agreement = told["ranking"]["toy_against_test"].get(one["dataset"])
            toy = [figures["average_precision"]["value"] for figures in toys[one["dataset"]]["entrants"]]
            yield _beside(told, one, "toy", "toy cases", toy, agreement)
    for name, sets in told["analysis"]["datasets"].items():
        results = [one for one in told["results"] if (one["dataset"], one["stage"]) == (name, "test")]
        if "proxy" in sets and results:
            proxy = [figures["average_precision"]["value"] for figures in sets["proxy"]["entrants"]]
            agreement = sets["proxy"]["against_test"]
            yield _beside(told, results[0], "proxy", "proxies (spheres and cubes)", proxy, agreement)


def _beside(
    told: Told,
    results: Mapping[str, Any],
    other: str,
    words: str,
    values: Sequence[float | None],
    agreement: Mapping[str, Any] | None,
) -> Panel:
    dataset, names = results["dataset"], names_of(told)
    test = [figures["average_precision"]["value"] for figures in results["entrants"]]
    both = [index for index, value in enumerate(values) if value is not None and test[index] is not None]
    places = {
        "Test": _places([test[index] for index in both]),
        words.split(" ")[0].capitalize(): _places([values[index] for index in both]),
    }
    title = f"{words[0].upper()}{words[1:]} against test cases, {dataset}"
    why = agreement["undefined"] if agreement else None
    if not both:
        return Panel(f"{other}-{dataset}", title, "", undefined=why or "nobody has a value on both")
    tau = agreement["value"] if agreement else None
    agrees = f"undefined ({why})" if tau is None else f"{tau:.2f}"
    text = "Average precision and place by each, among those who have a value on both. "
    text += f"Kendall's τ-b of the two rankings: {agrees}."
    first, second = places.values()
    columns = [
        Column("team", "Team"),
        Column("test", "AP, test", "figure"),
        Column("test_place", "Place, test", "place"),
        Column("other", f"AP, {words.split(' ')[0]}", "figure"),
        Column("other_place", f"Place, {words.split(' ')[0]}", "place"),
    ]
    rows = [
        Row(
            {
                "team": name,
                "test": test[index],
                "other": values[index],
                "test_place": first[both.index(index)] if index in both else None,
                "other_place": second[both.index(index)] if index in both else None,
            }
        )
        for index, name in enumerate(names)
    ]
    drawn = {"places_by_method": places, "names": [names[index] for index in both]}
    figure = drawing("ranking_methods", other, title, "", drawn, dataset) if len(both) > 1 else None
    return Panel(f"{other}-{dataset}", title, text, Table(columns, rows), figure)


def _places(values: Sequence[Any]) -> list[int]:
    return [1 + sum(other > value for other in values) for value in values]


_ANSWERS: dict[str, Callable[[Told], Iterator[Panel]]] = {
    "stability": _stability,
    "significance": _significance,
    "methods": _methods,
    "categories": _categories,
    "curves": _curves,
    "others": _others,
}
