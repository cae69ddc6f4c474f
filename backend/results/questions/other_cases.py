"""Would other cases rank alike?"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from backend.results.questions.panel import Panel, Told, names_of
from backend.results.report_tables import Column, Row, Table
from scoring.ranking import places as ranked
from scoring.report.drawings import drawing


def panels(told: Told) -> Iterator[Panel]:
    """The answer for one task of a report."""
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
        "Test": ranked([test[index] for index in both]),
        words.split(" ")[0].capitalize(): ranked([values[index] for index in both]),
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
