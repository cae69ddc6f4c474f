"""Test cases with every method's figure side by side. Hidden cases have names here: for organizers only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from fastapi import Depends, Query

from backend.errors import BadInput, NotFound
from backend.results.questions.categories import GROUPINGS
from backend.results.questions.panel import Panel, Told, names_of
from backend.results.report import Known
from backend.results.report_tables import Column, Order, Row, Table
from scoring.report.cases import disputed, hardest
from scoring.report.drawings import drawing

TOP = 10
FIGURES = {"voxel": "Average precision of the case", "case": "Agreement of the score's rank with the label"}
EXPLAINED = {
    "voxel": "The figure of a case is the average precision over its voxels; a normal case has none.",
    "case": "The figure of a case is the share of the cases with the other label that its score is on the "
    "right side of: 1 is right about all of them, 0.5 in their middle.",
}
SCORED = "scored"


@dataclass(frozen=True)
class CaseWish:
    """Which cases somebody wants to see, and in which order, as it stands in an address."""

    dataset: str = ""
    grouping: str = ""
    group: str = ""
    label: Literal["", "abnormal", "normal"] = ""
    outcome: Literal["", "absent"] = ""
    sort: str = "mean"
    order: Order = "asc"
    start: int = 0

    def parameters(self, **changed: str | int) -> dict[str, str]:
        """As parameters of an address, without those that are as usual."""
        usual = vars(CaseWish())
        wanted = vars(self) | changed
        return {name: str(value) for name, value in wanted.items() if value != usual[name]}


async def asked(
    dataset: Annotated[str, Query(max_length=40, description="Cases of this dataset only.")] = "",
    grouping: Annotated[str, Query(max_length=20, description="category, kind or difficulty.")] = "",
    group: Annotated[
        str, Query(max_length=100, description="Of `grouping`: the cases that its cell is computed from.")
    ] = "",
    label: Annotated[
        Literal["", "abnormal", "normal"], Query(description="Cases with this label only.")
    ] = "",
    outcome: Annotated[
        Literal["", "absent"], Query(description="`absent`: cases without a usable prediction of somebody.")
    ] = "",
    sort: Annotated[str, Query(max_length=60, description="The key of a column.")] = "mean",
    order: Annotated[Order, Query(description="Up or down; empty: as usual for `sort`.")] = "asc",
    start: Annotated[int, Query(ge=0, le=10_000_000, description="Leave out so many rows.")] = 0,
) -> CaseWish:
    """The part of an address that says which cases are wanted."""
    return CaseWish(dataset, grouping, group, label, outcome, sort or "mean", order, start)


AskedCases = Annotated[CaseWish, Depends(asked)]
Entry = Mapping[str, Any]


def of_task(known: Known, task: str) -> Mapping[str, Any]:
    """What is told of the cases of a task.

    Raises:
        NotFound: the report knows no such task.
    """
    found: Mapping[str, Any] | None = (known.cases or {}).get(task)
    if found is None:
        raise NotFound("no_such_task", f"The report has no task {task}.")
    return found


def case_table(told: Told, found: Mapping[str, Any], wish: CaseWish) -> Table:
    """The cases that are wanted, a column a method; cells lead to the case.

    Raises:
        BadInput: there is no such dataset or group, or no such column to sort by.
    """
    level, names = found["level"], _names(told, found)
    rows = [
        _row(dataset, entry, level, names) for dataset, entry in _chosen(found, wish) if _fits(entry, wish)
    ]
    columns = [
        Column("case", "Case"),
        Column("dataset", "Dataset"),
        Column("label", "Label"),
        Column("kind", "Kind"),
        Column("category", "Category"),
        Column("difficulty", "Difficulty"),
        Column("size", "Size, mm³", "count"),
        Column("contrast", "Intensity", "count"),
        *([Column("chance", "Chance", "share")] if level == "voxel" else []),
        Column("mean", "Mean", "figure"),
        Column("spread", "Spread", "figure"),
        *(Column(f"team.{submission}", name, "figure", True) for submission, name in names.items()),
    ]
    told_ = [
        one for one in columns if one.key in _ALWAYS or any(row.cells[one.key] is not None for row in rows)
    ]
    always = told_ if rows else columns
    return Table(always if wish.sort in {one.key for one in always} else columns, rows).sorted(
        wish.sort, wish.order
    )


_ALWAYS = ("case", "dataset", "label", "mean", "spread")


def _names(told: Told, found: Mapping[str, Any]) -> dict[str, str]:
    """By submission, in the order of the board, what it is called."""
    ids = [entrant["submission"] for entrant in told["entrants"]]
    return dict(zip(ids, names_of(told), strict=True))


def _chosen(found: Mapping[str, Any], wish: CaseWish) -> list[tuple[str, Entry]]:
    datasets = found["datasets"]
    if wish.dataset and wish.dataset not in datasets:
        raise BadInput("no_such_dataset", f"Choose one of {', '.join(datasets)}.")
    ids = found["entrants"]
    chosen: list[tuple[str, Entry]] = []
    for name, told in datasets.items():
        if wish.dataset in ("", name):
            cases = told["cases"]
            if wish.grouping:
                cases = [cases[number] for number in _numbers(told["groups"], wish)]
            chosen += [(name, {**case, "entrants": ids}) for case in cases]
    return chosen


def _numbers(groups: Mapping[str, Mapping[str, Sequence[int]]], wish: CaseWish) -> Sequence[int]:
    if wish.grouping not in GROUPINGS:
        raise BadInput("no_such_grouping", f"Group by one of {', '.join(GROUPINGS)}.")
    found = groups.get(wish.grouping, {})
    if wish.group not in found and wish.dataset:
        raise BadInput("no_such_group", f"Choose one of {', '.join(found) or 'none: it is not known'}.")
    return found.get(wish.group, [])


def _fits(entry: Entry, wish: CaseWish) -> bool:
    labelled = not wish.label or wish.label == _label(entry)
    absent = any(outcome not in (SCORED, None) for outcome in entry["outcomes"])
    return labelled and (not wish.outcome or absent)


def _label(entry: Entry) -> str:
    return "abnormal" if entry["label"] else "normal"


def _row(dataset: str, entry: Entry, level: str, names: Mapping[str, str]) -> Row:
    by_id = {one: index for index, one in enumerate(entry["entrants"])}
    cells = {
        "case": entry["id"],
        "dataset": dataset,
        "label": _label(entry),
        "chance": entry["positive_share"],
        **{key: entry[key] for key in ("kind", "category", "difficulty", "size", "contrast")},
        **{key: entry[key] for key in ("mean", "spread")},
        **{f"team.{one}": entry["figures"][by_id[one]] for one in names},
    }
    notes = {f"team.{one}": _note(entry, by_id[one], level) for one in names}
    told = {key: note for key, note in notes.items() if note}
    return Row(cells, told, {"case": {"dataset": dataset, "case": entry["id"]}})


def _note(entry: Entry, index: int, level: str) -> str:
    outcome, score = entry["outcomes"][index], entry["scores"][index]
    if outcome is None:
        return "no result"
    if outcome != SCORED:
        return str(outcome).replace("_", " ")
    return f"score {score:.4g}" if level == "case" and score is not None else ""


# --- the hardest and the most disputed ---


def case_panels(told: Told, found: Mapping[str, Any]) -> list[Panel]:
    """By dataset the hardest and the most disputed cases, with everybody's figures as dots."""
    made = []
    for name, of_dataset in found["datasets"].items():
        rows = [{**row, "entrants": found["entrants"]} for row in of_dataset["cases"]]
        made += [
            _panel(
                told,
                found,
                name,
                "hardest",
                "Hardest",
                "Those with the lowest mean over all methods.",
                hardest(rows, TOP),
            ),
            _panel(
                told,
                found,
                name,
                "disputed",
                "Most disputed",
                "Those with the largest spread, the standard deviation over the methods.",
                disputed(rows, TOP),
            ),
        ]
    return made


def _panel(
    told: Told,
    found: Mapping[str, Any],
    dataset: str,
    which: str,
    title: str,
    text: str,
    rows: Sequence[Entry],
) -> Panel:
    id_, title = f"{which}-{dataset}", f"{title} cases, {dataset}"
    if not rows:
        return Panel(id_, title, text, undefined="no case has a figure by which they differ")
    level, names = found["level"], _names(told, found)
    columns = [
        Column("case", "Case"),
        Column("label", "Label"),
        Column("kind", "Kind"),
        Column("mean", "Mean", "figure"),
        Column("spread", "Spread", "figure"),
        *(Column(f"team.{submission}", name, "figure", True) for submission, name in names.items()),
    ]
    drawn = {
        "values": [row["figures"] for row in rows],
        "names": [_called(row) for row in rows],
        "unit": FIGURES[level],
    }
    figure = drawing("dots_and_boxes", "cases", title, "", drawn, dataset)
    text = f"{text} A dot is a method, the box spans the quartiles."
    return Panel(id_, title, text, Table(columns, [_row(dataset, row, level, names) for row in rows]), figure)


def _called(entry: Entry) -> str:
    return f"{entry['id']} ({entry['kind'] or _label(entry)})"


# --- one case ---


@dataclass(frozen=True)
class CaseStory:
    """One test case with all methods side by side; `methods` in the order of the board.

    `place` among the `ranked` cases of its dataset, 1 for the hardest, None where it has no figure; `harder`
    and `easier` are the ids of those beside it.
    """

    dataset: str
    entry: Entry
    level: str
    methods: Sequence[Mapping[str, Any]]
    ranked: int
    place: int | None = None
    harder: str | None = None
    easier: str | None = None


def case_story(told: Told, found: Mapping[str, Any], dataset: str, case: str) -> CaseStory:
    """What everybody did on a case, and which cases are as hard as it is, or nearly.

    Raises:
        NotFound: the task has no such test case in this dataset.
    """
    rows = found["datasets"].get(dataset, {"cases": []})["cases"]
    entry = next((row for row in rows if row["id"] == case), None)
    if entry is None:
        raise NotFound("no_such_case", "This task has no such test case.")
    by_id = {one: index for index, one in enumerate(found["entrants"])}
    methods = [
        {
            "submission": one["submission"],
            "name": one["name"],
            "baseline": one["baseline"],
            "place": told["ranking"]["consensus"][number],
            "figure": entry["figures"][by_id[one["submission"]]],
            "score": entry["scores"][by_id[one["submission"]]],
            "outcome": entry["outcomes"][by_id[one["submission"]]],
        }
        for number, one in enumerate(told["entrants"])
    ]
    ids = [row["id"] for row in hardest(rows, len(rows))]
    story = CaseStory(dataset, entry, found["level"], methods, len(ids))
    if case not in ids:
        return story
    at = ids.index(case)
    beside = ids[at - 1] if at else None, ids[at + 1] if at + 1 < len(ids) else None
    return replace(story, place=at + 1, harder=beside[0], easier=beside[1])
