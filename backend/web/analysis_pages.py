"""What organizers learn from results: pages that look at the report, and at test cases one by one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Query, Request, Response
from markupsafe import Markup

from backend.accounts.dependencies import Organizer, PlatformOf
from backend.challenges import service as challenges
from backend.errors import NotFound
from backend.models.challenge import Challenge
from backend.platform import Platform
from backend.results import pictures, volumes
from backend.results.hidden_files import hidden_case, hidden_files, kept_prediction
from backend.results.questions.categories import GROUPINGS
from backend.results.questions.panel import Panel
from backend.results.report import Known, known_of
from backend.results.report_answers import in_short
from backend.results.report_cases import (
    EXPLAINED,
    AskedCases,
    CaseStory,
    CaseWish,
    case_story,
    case_table,
    of_task,
)
from backend.results.report_tables import Table, Target
from backend.results.report_view import QUESTIONS, AskedPanel, answers, task_of
from backend.results.toy_files import ToyFiles
from backend.web.rendering import page
from backend.web.tables import ROWS, direction, turned
from challenges import spec
from datasets.manifest import Case
from scoring.report.drawings import draw
from scoring.report.page import p_value, percent

router = APIRouter(prefix="/organize/{challenge}")

Axis = Annotated[int, Query(ge=0, le=2)]
Slice = Annotated[int | None, Query(ge=0, le=100_000)]


@dataclass(frozen=True)
class At:
    """Addresses of one task's analysis."""

    challenge: str
    task: str

    def question(self, slug: str = "", task: str = "", **more: str) -> str:
        """A page of the analysis."""
        path = f"/organize/{self.challenge}/analysis" + (f"/{slug}" if slug else "")
        return f"{path}?{urlencode({'task': task or self.task, **more})}"

    def cases(self, task: str = "", **wish: str) -> str:
        """The list of cases."""
        return f"/organize/{self.challenge}/cases?{urlencode({'task': task or self.task, **wish})}"

    def target(self, target: Target) -> str:
        """Where a cell leads: to a case, or to a list of cases."""
        if "case" not in target:
            return self.cases(**target)
        case = quote(target["case"], safe="")
        return f"/organize/{self.challenge}/cases/{self.task}/{target['dataset']}/{case}"

    def heads(self, slug: str, panel: str, table: Table) -> dict[str, str]:
        """By column the page on which a panel's table is sorted by it."""
        return {
            one.key: self.question(slug, panel=panel, sort=one.key, order=turned(table, one))
            + f"#table-{panel}"
            for one in table.columns
        }

    def case_heads(self, wish: CaseWish, table: Table) -> dict[str, str]:
        """By column the list of cases that is sorted by it."""
        return {
            one.key: self.cases(**wish.parameters(sort=one.key, order=turned(table, one), start=0))
            for one in table.columns
        }

    def api(self, slug: str, panel: str, table: Table | None, form: str) -> str:
        """Exactly one table for programs."""
        sorted_ = {"sort": table.sort, "order": table.order} if table and table.sort else {}
        more = {"task": self.task, "panel": panel, **sorted_, "format": form}
        return f"/api/v1/challenges/{self.challenge}/analysis/{slug}?{urlencode(more)}"

    def api_cases(self, wish: CaseWish, form: str) -> str:
        """Exactly this list of cases for programs."""
        more = {"task": self.task, **wish.parameters(start=0), "format": form}
        return f"/api/v1/challenges/{self.challenge}/cases?{urlencode(more)}"


@router.get("/analysis")
def overview(
    challenge: str, request: Request, user: Organizer, platform: PlatformOf, task: str = ""
) -> Response:
    found, task, known = _looked(platform, challenge, task, with_cases=True)
    told = known.task(task)
    short = {} if told is None or not told["entrants"] else _in_short(known, task, told)
    context = _context(found, task, known) | {"question": "", "short": short}
    return page(request, "analysis.html", user, **context)


def _in_short(known: Known, task: str, told: Mapping[str, Any]) -> dict[str, str]:
    cases = of_task(known, task)
    return {slug: in_short(slug, told, cases) for slug in QUESTIONS}


@router.get("/cases")
def list_cases(
    challenge: str,
    request: Request,
    user: Organizer,
    platform: PlatformOf,
    wish: AskedCases,
    task: str = "",
) -> Response:
    """Test cases, filtered and sorted as the address says; a cell of the heat map leads here."""
    found, task, known = _looked(platform, challenge, task, with_cases=True)
    told = known.task(task)
    context = _context(found, task, known) | {"question": "cases", "wish": wish, "table": None}
    if told is not None:
        cases = of_task(known, task)
        groups = {
            grouping: sorted(
                {name for one in cases["datasets"].values() for name in one["groups"].get(grouping, {})}
            )
            for grouping in GROUPINGS
        }
        more = {
            "table": case_table(told, cases, wish),
            "groups": groups,
            "explained": EXPLAINED[cases["level"]],
        }
        context |= more | {"datasets": list(cases["datasets"])}
    return page(request, "analysis_cases.html", user, **context)


@router.get("/analysis/{question}")
def show_question(
    challenge: str,
    question: str,
    request: Request,
    user: Organizer,
    platform: PlatformOf,
    wish: AskedPanel,
    task: str = "",
) -> Response:
    found, task, known = _looked(platform, challenge, task, with_cases=question == "cases")
    made = answers(known, task, question, wish)
    at = At(challenge, task)
    drawn = {one.id: _drawn(one, number, at) for number, one in enumerate(made)}
    context = _context(found, task, known) | {
        "question": question,
        "panels": made,
        "drawn": drawn,
        "wish": wish,
    }
    if question == "cases" and made:
        context["explained"] = EXPLAINED[of_task(known, task)["level"]]
    return page(request, "analysis_question.html", user, **context)


@router.get("/cases/{task}/{dataset}/{case}")
def show_case(
    challenge: str,
    task: str,
    dataset: str,
    case: str,
    request: Request,
    user: Organizer,
    platform: PlatformOf,
    axis: Axis = 2,
    slice: Slice = None,
) -> Response:
    """One test case with all methods side by side."""
    found, task, known = _looked(platform, challenge, task, with_cases=True)
    told = known.task(task)
    if told is None:
        raise NotFound("no_such_case", "There is no report yet that tells of this case.")
    story = case_story(told, of_task(known, task), dataset, case)
    shown = _pictures(platform, found, task, story, axis, slice)
    context = _context(found, task, known) | {"question": "cases", "story": story, "axis": axis, **shown}
    return page(request, "analysis_case.html", user, **context, explained=EXPLAINED[story.level])


def _looked(platform: Platform, challenge: str, task: str, with_cases: bool) -> tuple[Challenge, str, Known]:
    with platform.database.read() as session:
        found = challenges.get(session, challenge)
        return found, task_of(found, task), known_of(session, found, with_cases)


def _context(challenge: Challenge, task: str, known: Known) -> dict[str, Any]:
    rules: spec.Challenge = challenge.spec
    return {
        "rules": rules,
        "task": task,
        "known": known,
        "questions": QUESTIONS,
        "at": At(challenge.id, task),
        "groupings": GROUPINGS,
        "rows_shown": ROWS,
        "direction": direction,
        "percent": percent,
        "p_value": p_value,
    }


def _drawn(panel: Panel, number: int, at: At) -> Markup | None:
    """The figure of a panel; the cells of a heat map are links."""
    if panel.figure is None:
        return None
    data = dict(panel.figure["data"])
    if panel.links is not None and panel.figure["figure"] == "heat_map":
        data["links"] = [[at.target(target) for target in row] for row in panel.links]
    # The figures escape what they are given.
    return Markup(draw({**panel.figure, "data": data}, f"figure-{number}"))


def _pictures(
    platform: Platform, challenge: Challenge, task: str, story: CaseStory, axis: int, index: int | None
) -> dict[str, Any]:
    """Which slice is shown, and whose maps there are; no pictures where the files are another version's."""
    try:
        with platform.database.read() as session:
            case = hidden_case(session, challenge, task, story.dataset, story.entry["id"])
    except NotFound:
        return {"case": None, "kept": frozenset(), "count": 0, "number": 0, "has_truth": False}
    files = hidden_files(platform.storage, challenge, task, story.dataset, case)
    number, count = _slice(files, axis, index)
    return {
        "case": case,
        "count": count,
        "number": number,
        "has_truth": files.mask is not None and bool(case.label),
        "kept": _kept(platform, challenge, task, story, case),
    }


def _slice(files: ToyFiles, axis: int, index: int | None) -> tuple[int, int]:
    """The slice that is asked for, else that with the most truth or the middle one; how many there are."""
    count = volumes.grid_of(files.image).shape[axis]
    if index is None:
        index = volumes.hottest(ToyFiles(files.image, files.mask, files.mask))[axis]
    return pictures.slice_index(files, axis, min(index, count - 1))


def _kept(
    platform: Platform, challenge: Challenge, task: str, story: CaseStory, case: Case
) -> frozenset[str]:
    ids: Sequence[str] = [method["submission"] for method in story.methods]
    return frozenset(
        one for one in ids if kept_prediction(platform.storage, challenge, task, story.dataset, case, one)
    )
