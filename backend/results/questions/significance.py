"""Who beats whom?"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from backend.results.questions.panel import Panel, Told, figure_of, names_of
from backend.results.report_tables import Column, Row, Table

TESTS = {
    "paired_bootstrap": "the cases are redrawn, for both the same, and the draws counted",
    "wilcoxon_signed_rank": "Wilcoxon's signed-rank test over the batches",
}


def panels(told: Told) -> Iterator[Panel]:
    """The answer for one task of a report."""
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
        figure = figure_of(told, "significance_map", "uncertainty", name)
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
