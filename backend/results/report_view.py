"""A question about results as somebody asks it, answered from the report that is there."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from fastapi import Depends, Query

from backend.errors import BadInput, NotFound
from backend.models.challenge import Challenge
from backend.results.questions import (
    categories,
    curves,
    other_cases,
    ranking_methods,
    significance,
    stability,
)
from backend.results.questions.panel import Panel, Told
from backend.results.report import Known
from backend.results.report_cases import case_panels, of_task
from backend.results.report_tables import Order, Table

QUESTIONS = {
    "stability": "How stable are the places?",
    "significance": "Who beats whom?",
    "methods": "Does the way to rank matter?",
    "categories": "Who finds which anomalies?",
    "curves": "How do size and contrast matter?",
    "others": "Would other cases rank alike?",
    "cases": "Which cases are hardest, which disputed?",
}
ANSWERS: dict[str, Callable[[Told], Iterator[Panel]]] = {
    "stability": stability.panels,
    "significance": significance.panels,
    "methods": ranking_methods.panels,
    "categories": categories.panels,
    "curves": curves.panels,
    "others": other_cases.panels,
}


@dataclass(frozen=True)
class PanelWish:
    """By what the table of one panel is sorted, as it stands in an address."""

    panel: str = ""
    sort: str = ""
    order: Order = ""


async def asked(
    panel: Annotated[str, Query(max_length=100, description="The id of a panel.")] = "",
    sort: Annotated[str, Query(max_length=60, description="The key of a column of this panel.")] = "",
    order: Annotated[Order, Query(description="Up or down; empty: as usual for `sort`.")] = "",
) -> PanelWish:
    """The part of an address that says how a table is sorted."""
    return PanelWish(panel, sort, order)


AskedPanel = Annotated[PanelWish, Depends(asked)]
Format = Annotated[Literal["json", "csv"], Query(description="CSV is one table.")]


def task_of(challenge: Challenge, task: str) -> str:
    """The task that is meant, the first one unless it is named.

    Raises:
        NotFound: the challenge has no such task.
    """
    tasks = challenge.spec.tasks
    if task and task not in tasks:
        raise NotFound("no_such_task", f"{challenge.title} has no task {task}.", tasks=list(tasks))
    return task or next(iter(tasks))


def answers(known: Known, task: str, question: str, wish: PanelWish) -> list[Panel]:
    """The panels that answer a question about a task; none while there is no report, or nobody is in it.

    Raises:
        NotFound: there is no such question.
        BadInput: the panel that is wished for is not there, or has no such column.
    """
    if question not in QUESTIONS:
        raise NotFound("no_such_question", "There is no such page.", questions=list(QUESTIONS))
    told = known.task(task)
    if told is None or not told["entrants"]:
        return []
    found = case_panels(told, of_task(known, task)) if question == "cases" else list(ANSWERS[question](told))
    return sorted_panels(found, wish)


def sorted_panels(found: Sequence[Panel], wish: PanelWish) -> list[Panel]:
    """The panels, the one that is wished for sorted.

    Raises:
        BadInput: the panel that is wished for is not there, or has no such column.
    """
    if found and wish.sort and wish.panel not in {one.id for one in found}:
        raise BadInput("no_such_panel", f"Choose one of {', '.join(one.id for one in found)}.")
    return [_sorted(one, wish) if one.id == wish.panel and wish.sort else one for one in found]


def named_table(found: Sequence[Panel], panel: str) -> Table:
    """The table of the panel of that id, of the first one that has a table if none is named.

    Raises:
        NotFound: there is none.
    """
    tables = [one.table for one in found if one.table is not None and panel in ("", one.id)]
    if not tables:
        raise NotFound("no_such_panel", "There is no such table.", panels=[one.id for one in found])
    return tables[0]


def _sorted(panel: Panel, wish: PanelWish) -> Panel:
    return replace(panel, table=panel.table.sorted(wish.sort, wish.order)) if panel.table else panel


def as_json(known: Known, challenge: str, task: str, question: str, found: list[Panel]) -> dict[str, Any]:
    """A view for programs."""
    return {
        "challenge": challenge,
        "task": task,
        "question": question,
        "state": known.state,
        "as_of": known.as_of,
        "panels": [panel_as_json(one) for one in found],
    }


def panel_as_json(panel: Panel) -> Mapping[str, Any]:
    """A panel for programs."""
    table = panel.table.as_json() if panel.table else {"columns": [], "rows": []}
    return {"id": panel.id, "title": panel.title, "undefined": panel.undefined, **table}
