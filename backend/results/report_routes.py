"""What organizers learn from results, over HTTP: the report, its views as JSON or CSV, and the test cases."""

from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from backend.accounts.dependencies import Organizer, PlatformOf
from backend.challenges import service as challenges
from backend.errors import Conflict, NotFound
from backend.results.hidden_routes import NO_STORE
from backend.results.report import Known, known_of
from backend.results.report_cases import AskedCases, case_table, of_task
from backend.results.report_tables import Table
from backend.results.report_view import AskedPanel, Format, answers, as_json, named_table, task_of
from scoring.report.document import to_json

router = APIRouter(prefix="/challenges/{challenge}")


@router.get("/report", response_class=Response)
def show_report(challenge: str, user: Organizer, platform: PlatformOf) -> Response:
    """The whole report as data, as `python -m backend report` writes it; for organizers.

    `X-State` is `computed`, or `outdated` while a newer one is being computed.
    """
    with platform.database.read() as session:
        known = known_of(session, challenges.get(session, challenge))
    document = _there(known).document
    assert document is not None
    headers = NO_STORE | {"X-State": known.state}
    return Response(to_json(document), media_type="application/json", headers=headers)


@router.get("/analysis/{question}", response_class=Response)
def show_analysis(
    challenge: str,
    question: str,
    user: Organizer,
    platform: PlatformOf,
    wish: AskedPanel,
    task: str = "",
    format: Format = "json",
) -> Response:
    """A page of the analysis as data, for organizers; as CSV the table of one `panel`."""
    with platform.database.read() as session:
        found = challenges.get(session, challenge)
        task = task_of(found, task)
        known = known_of(session, found, with_cases=question == "cases")
    made = answers(known, task, question, wish)
    if format == "csv":
        return _csv(named_table(made, wish.panel))
    return JSONResponse(as_json(known, challenge, task, question, made), headers=NO_STORE)


@router.get("/cases", response_class=Response)
def show_cases(
    challenge: str,
    user: Organizer,
    platform: PlatformOf,
    wish: AskedCases,
    task: str = "",
    format: Format = "json",
) -> Response:
    """The test cases with everybody's figures, for organizers; all that fit, wherever the page starts."""
    with platform.database.read() as session:
        found = challenges.get(session, challenge)
        task = task_of(found, task)
        known = _there(known_of(session, found, with_cases=True))
    told = known.task(task)
    if told is None:
        raise NotFound("no_such_task", f"The report has no task {task}.")
    table = case_table(told, of_task(known, task), wish)
    if format == "csv":
        return _csv(table)
    content: dict[str, Any] = {"challenge": challenge, "task": task, "as_of": known.as_of, **table.as_json()}
    return JSONResponse(content, headers=NO_STORE)


def _there(known: Known) -> Known:
    """Raises `Conflict` where there is no report."""
    if known.document is None:
        raise Conflict(
            "no_report",
            {
                "nothing": "Nobody has a place yet, so there is nothing to report.",
                "undefined": f"There can be no report: {known.reason}.",
            }.get(known.state, "A worker computes the first report; ask again in a while."),
        )
    return known


def _csv(table: Table) -> Response:
    return PlainTextResponse(table.as_csv(), media_type="text/csv", headers=NO_STORE)
