"""Which figures a report shows, each as plain data first, from which it is drawn.

A figure of the document is `{figure, section, dataset, title, caption, data}`; `data` are the arguments of
the function in `scoring/report/figures/` that draws it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from scoring.report.board import Measured
from scoring.report.figures.blobs import blobs
from scoring.report.figures.boxes import dots_and_boxes
from scoring.report.figures.curves import curves
from scoring.report.figures.heat_map import heat_map
from scoring.report.figures.intervals import places_with_intervals
from scoring.report.figures.methods import ranking_methods
from scoring.report.figures.podium import podium
from scoring.report.figures.significance import significance_map
from scoring.report.figures.violins import violins
from scoring.report.uncertainty import Bootstrapped

DRAW: dict[str, Callable[..., str]] = {
    "podium": podium,
    "dots_and_boxes": dots_and_boxes,
    "ranking_methods": ranking_methods,
    "places_with_intervals": places_with_intervals,
    "blobs": blobs,
    "violins": violins,
    "significance_map": significance_map,
    "heat_map": heat_map,
    "curves": curves,
}
DOTS = 200
"""How many bootstraps are shown as dots."""

SERIES_LABELS = {"size-series": "Radius of the sphere, mm", "contrast-series": "Intensity of the sphere"}
STEP_FIGURES = {"case": ("score",), "voxel": ("average_precision", "best_dice")}
STEP_TITLES = {"score": "Score", "average_precision": "Average precision", "best_dice": "Best Dice"}

Drawing = dict[str, Any]
Values = Sequence[Sequence[float | None]]


def draw(drawing: Drawing, prefix: str) -> str:
    """The SVG of a figure of the document; `prefix` keeps its ids apart from those of other figures."""
    return DRAW[drawing["figure"]](**drawing["data"], prefix=prefix, title=drawing["title"])


def drawing(
    figure: str, section: str, title: str, caption: str, data: Mapping[str, Any], dataset: str | None = None
) -> Drawing:
    """A figure of the document."""
    return {
        "figure": figure,
        "section": section,
        "dataset": dataset,
        "title": title,
        "caption": caption,
        "data": dict(data),
    }


def of_results(
    measured: Measured,
    by_dataset: Mapping[str, Sequence[int]],
    bootstrapped: Bootstrapped,
    names: Sequence[str],
) -> list[Drawing]:
    """How the values that rank are spread, on each dataset."""
    made = []
    for name, column in measured.items():
        longest = max((len(one.ranking_batches) for one in column), default=0)
        if longest:
            values: Values = [one.ranking_batches or (None,) * longest for one in column]
            made += [_batches(name, values, names), _podium(name, values, names, by_dataset[name])]
        elif name in bootstrapped.values:
            ranking = [one.ranking.value for one in column]
            values = _present(bootstrapped.values[name][:DOTS].T.tolist(), ranking)
            made.append(_bootstraps(name, values, names))
    return made


def _batches(dataset: str, values: Values, names: Sequence[str]) -> Drawing:
    return drawing(
        "dots_and_boxes",
        "results",
        f"Batches of {dataset}",
        "A dot is the average precision of one batch that ranks; the box spans the quartiles.",
        {"values": [list(row) for row in values], "names": names, "unit": "Average precision of a batch"},
        dataset,
    )


def _bootstraps(dataset: str, values: Values, names: Sequence[str]) -> Drawing:
    return drawing(
        "dots_and_boxes",
        "results",
        f"Bootstraps of {dataset}",
        f"A dot is the average precision over one set of redrawn cases, the first {DOTS} of them; the box "
        "spans the quartiles.",
        {"values": values, "names": names, "unit": "Average precision of a bootstrap"},
        dataset,
    )


def _present(rows: Sequence[list[float]], ranking: Sequence[float | None]) -> list[list[float | None]]:
    return [[None if value is None else one for one in row] for row, value in zip(rows, ranking, strict=True)]


def _podium(dataset: str, values: Values, names: Sequence[str], places: Sequence[int]) -> Drawing:
    return drawing(
        "podium",
        "results",
        f"Podium of {dataset}",
        "Who is first, second … in a single batch. A line joins the values of one batch.",
        {
            "values": [list(row) for row in values],
            "names": names,
            "places": list(places),
            "unit": "Average precision of a batch",
        },
        dataset,
    )


def of_ranking(ranking: Mapping[str, Any], names: Sequence[str]) -> list[Drawing]:
    """The places under the alternatives."""
    places = {way["short"]: way["places"] for way in ranking["methods"] if way["places"]}
    if len(names) < 2 or len(places) < 2:
        return []
    caption = "Level lines: the choice of the method does not matter to that entrant."
    title = "Places under other ways to rank"
    return [
        drawing("ranking_methods", "ranking", title, caption, {"places_by_method": places, "names": names})
    ]


def of_uncertainty(
    uncertainty: Mapping[str, Any], ranking: Mapping[str, Any], names: Sequence[str]
) -> list[Drawing]:
    """Intervals, shares of places, agreement of rankings, and who beats whom."""
    if len(names) < 2:
        return []
    made = _of_consensus(uncertainty["consensus"], ranking["consensus"], names)
    taus = {
        name: told["bootstraps"]["tau_b"]["values"]
        for name, told in uncertainty["datasets"].items()
        if told["bootstraps"]["undefined"] is None and told["bootstraps"]["tau_b"]["values"]
    }
    whole = uncertainty["consensus"]
    if whole["undefined"] is None and whole["tau_b"]["values"]:
        taus["Consensus"] = whole["tau_b"]["values"]
    if taus:
        caption = "Kendall's τ-b of each bootstrap's ranking with the one on the board; 1 is the same order."
        made.append(drawing("violins", "uncertainty", "Agreement of the bootstraps", caption, {"taus": taus}))
    for name, told in uncertainty["datasets"].items():
        if told["tests"]["undefined"] is None:
            made.append(_significance(name, told["tests"], ranking["places"][name], names))
    return made


def _of_consensus(consensus: Mapping[str, Any], places: Sequence[int], names: Sequence[str]) -> list[Drawing]:
    if consensus["undefined"] is not None:
        return []
    data = {"names": names, "places": list(places), "intervals": consensus["intervals"]}
    return [
        drawing(
            "places_with_intervals",
            "uncertainty",
            "Places with their intervals",
            "The places in 95 % of the bootstraps. Where intervals overlap, the order may be chance.",
            data,
        ),
        drawing(
            "blobs",
            "uncertainty",
            "Places in the bootstraps",
            "The area of a circle is the share of bootstraps with that place; a cross marks the median.",
            {**data, "shares": consensus["shares"]},
        ),
    ]


def _significance(
    dataset: str, tests: Mapping[str, Any], places: Sequence[int], names: Sequence[str]
) -> Drawing:
    order = sorted(range(len(names)), key=lambda index: (places[index], index))
    return drawing(
        "significance_map",
        "uncertainty",
        f"Who beats whom on {dataset}",
        "Filled: the entrant of the row is significantly better than that of the column (Holm's correction).",
        {
            "significant": [[tests["significant"][a][b] for b in order] for a in order],
            "names": [names[index] for index in order],
        },
        dataset,
    )


def of_groups(dataset: str, groups: Mapping[str, Any], names: Sequence[str]) -> list[Drawing]:
    """Heat maps over kinds, curves over sizes and contrasts."""
    made = []
    for grouping, title in (
        ("category", "Categories"),
        ("kind", "Kinds of anomaly"),
        ("difficulty", "Difficulty as people perceive it"),
    ):
        found = groups[grouping]["groups"]
        if found and names:
            made.append(_heat_map(dataset, f"{title}, {dataset}", found, names))
    for grouping, label, scale in (
        ("size", "Volume of the anomaly, mm³", "log"),
        ("contrast", "Intensity of the anomaly", "linear"),
    ):
        found = groups[grouping]["groups"]
        if len(found) > 1 and names:
            made.append(_curves(dataset, grouping, label, scale, found, names))
    return made


def _values(group: Mapping[str, Any]) -> list[float | None]:
    return [one["value"] for one in group["average_precision"]["entrants"]]


def of_analysis(sets: Mapping[str, Any], level: str, names: Sequence[str]) -> list[Drawing]:
    """Curves over the series, heat maps over kinds."""
    made = []
    for dataset, found in sets["datasets"].items():
        for name, label in SERIES_LABELS.items():
            if name in found:
                drawn = (
                    _series(dataset, name, label, found[name], key, names) for key in STEP_FIGURES[level]
                )
                made += [one for one in drawn if one is not None]
        for grouping, title in (("category", "Categories"), ("kind", "Kinds of anomaly")):
            groups = found.get("equal-counts", {}).get("groups", {}).get(grouping, {}).get("groups")
            if groups and names:
                title = f"{title}, equal counts, {dataset}"
                made.append(_heat_map(dataset, title, groups, names, "analysis"))
    return made


def _series(
    dataset: str, name: str, label: str, found: Mapping[str, Any], key: str, names: Sequence[str]
) -> Drawing | None:
    rows = [[one["value"] for one in entrant[key]] for entrant in found["entrants"]]
    if all(value is None for row in rows for value in row):
        return None
    y_label = STEP_TITLES[key]
    data = {
        "x": [step["value"] for step in found["steps"]],
        "series": dict(zip(names, rows, strict=True)),
        "x_label": label,
        "y_label": y_label,
        "x_scale": "linear",
        "y_range": None if key == "score" else [0, 1],
    }
    title = f"{y_label}, {name.replace('-', ' ')}, {dataset}"
    return drawing("curves", "analysis", title, "One scan with one sphere a point.", data, dataset)


def _heat_map(
    dataset: str,
    title: str,
    found: Sequence[Mapping[str, Any]],
    names: Sequence[str],
    section: str = "categories",
) -> Drawing:
    caption = "Average precision among as many normal as abnormal cases, the same ones for everybody."
    rows = [f"{group['name']} ({group['abnormal']} + {group['normal']})" for group in found]
    data = {
        "rows_": rows,
        "columns": names,
        "values": [_values(group) for group in found],
        "value_range": [0, 1],
    }
    return drawing("heat_map", section, title, caption, data, dataset)


def _curves(
    dataset: str,
    grouping: str,
    label: str,
    scale: str,
    found: Sequence[Mapping[str, Any]],
    names: Sequence[str],
) -> Drawing:
    values = [_values(group) for group in found]
    data = {
        "x": [group["middle"] for group in found],
        "series": {name: [row[index] for row in values] for index, name in enumerate(names)},
        "x_label": label,
        "y_label": "Average precision",
        "x_scale": scale,
        "y_range": [0, 1],
    }
    caption = "Each point is a bin of cases, among as many normal ones."
    return drawing("curves", "categories", f"By {grouping}, {dataset}", caption, data, dataset)
