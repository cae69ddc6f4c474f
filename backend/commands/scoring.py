"""`python -m backend scoring …`: rules changed afterwards, and what that changes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.orm import Session

from backend.audit import service as audit
from backend.challenges import service as challenges
from backend.commands import console
from backend.commands.console import By, Json, Reason
from backend.errors import BadInput
from backend.results import comparison, rescoring, versions
from backend.results.drafts import Change, draft
from backend.results.schemas import Board, BoardRow, Comparison, ScoringView
from challenges import spec

app = typer.Typer(no_args_is_help=True, help="Scoring versions: rescoring without running a container.")

Old = Annotated[int, typer.Argument(help="Number of the one version.")]
New = Annotated[int, typer.Argument(help="Number of the other one.")]


@app.command("list")
def list_versions(challenge: str, as_json: Json = False) -> None:
    """All scoring versions; one is the public board's."""
    with console.opened() as platform, platform.database.read() as session:
        challenges.get(session, challenge)
        views = versions.visible(session, challenge, console.operator())
    if as_json:
        console.show([view.model_dump() for view in views], True)
        return
    rows = [_row(view) for view in views]
    console.show_rows(rows, False, ("number", "board", "reason", "missing", "batches", "by", "made"))


def _row(view: ScoringView) -> dict[str, object]:
    sizes = {task: rules["metric"]["batch_size"] for task, rules in view.policy.items()}
    return {
        "number": view.number,
        "board": "public" if view.current else "",
        "reason": view.reason,
        "missing": {task: rules["missing"] for task, rules in view.policy.items()},
        "batches": {task: f"of {size}" for task, size in sizes.items() if size},
        "by": view.origin.created_by if view.origin else "",
        "made": console.moment(view.origin.created_at if view.origin else None),
    }


@app.command()
def new(
    challenge: str,
    reason: Annotated[str, typer.Option(help="Why; shown beside the board.")],
    task: Annotated[list[str] | None, typer.Option(help="Change this task only; may be repeated.")] = None,
    missing: Annotated[
        str | None, typer.Option(help="What an absent case scores: zero, worst or reject.")
    ] = None,
    batch_size: Annotated[int | None, typer.Option(min=2, help="Cases in a batch.")] = None,
    arrangements: Annotated[int | None, typer.Option(min=1, max=2, help="The second one validates.")] = None,
    arrangement_seed: Annotated[int | None, typer.Option(min=0, help="Draw batches anew from it.")] = None,
    rules: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="A YAML whose scoring rules are taken.")
    ] = None,
    by: By = "",
    as_json: Json = False,
) -> None:
    """Score all submissions under changed rules, beside their figures so far; the board stays as it is."""
    change = Change(task or (), _missing(missing), batch_size, arrangements, arrangement_seed, _policy(rules))
    with console.opened() as platform:
        with platform.database.read() as session:
            drafted = draft(
                session, challenges.get(session, challenge), change, reason, console.operator(by).name
            )
            current = versions.current(session, challenge).number
        with console.counting("rescoring") as progress:
            made = rescoring.add_version(
                platform.database, drafted, lambda done, total: progress(challenge, done, total)
            )
        with platform.database.read() as session:
            compared = _compare(session, challenge, current, made.version.number, task)
            view = versions.view(made.version, console.operator())
    told = (
        f"{challenge}: scoring version {view.number}, {made.submissions} submissions in {made.seconds:.2f} s."
    )
    result = {
        "version": view.model_dump(),
        "submissions": made.submissions,
        "seconds": made.seconds,
        "comparisons": [item.model_dump() for item in compared],
    }
    then = f"To make it the public board: python -m backend scoring use {challenge} {view.number}"
    console.show(result, as_json, told, *(line for item in compared for line in _lines(item)), then)


def _missing(name: str | None) -> spec.Missing | None:
    match name:
        case None | "zero" | "worst" | "reject":
            return name
    raise BadInput("missing_unknown", f"`--missing` is zero, worst or reject, not {name}.")


def _policy(file: Path | None) -> versions.Policy:
    if file is None:
        return {}
    try:
        return versions.policy_of(spec.load(file))
    except spec.ChallengeError as error:
        raise BadInput("challenge_invalid", str(error)) from error


@app.command()
def compare(
    challenge: str,
    old: Old,
    new: New,
    task: Annotated[list[str] | None, typer.Option(help="Of this task only; may be repeated.")] = None,
    as_json: Json = False,
) -> None:
    """The boards under two versions side by side, and who moved."""
    with console.opened() as platform, platform.database.read() as session:
        compared = _compare(session, challenge, old, new, task)
    lines = (line for item in compared for line in _lines(item))
    console.show([item.model_dump() for item in compared], as_json, *lines)


def _compare(
    session: Session, challenge: str, old: int, new: int, tasks: list[str] | None
) -> list[Comparison]:
    found = challenges.get(session, challenge)
    return [
        comparison.compare(session, found, task, old, new, console.operator())
        for task in tasks or found.spec.tasks
    ]


def _lines(compared: Comparison) -> Iterator[str]:
    old, new = compared.old, compared.new
    yield f"{compared.task}: version {old.scoring.number} → version {new.scoring.number}"
    rows = [{row.submission: row for row in board.rows} for board in (old, new)]
    for move in compared.moves:
        before, after = (side[move.submission] for side in rows)
        places = f"{move.old_place} → {move.new_place}"
        figures = f"{_figures(old, before)} → {_figures(new, after)}"
        yield f"  {places:>9}  {move.movement:<11}{move.team:<24}{figures}"
    if not compared.moves:
        yield "  no submission was ranked yet"
    elif compared.tau is not None:
        yield f"  Kendall's τ-b between the two: {compared.tau:.3f}"
    else:
        yield f"  Kendall's τ-b is undefined: {compared.tau_undefined_because}"


def _figures(board: Board, row: BoardRow) -> str:
    values = [row.ap[name] for name in board.datasets]
    return " ".join("-" if value is None else f"{value:.{board.decimals}f}" for value in values)


@app.command()
def use(challenge: str, number: int, reason: Reason = "", by: By = "", as_json: Json = False) -> None:
    """Make a version's board the public one."""
    with console.opened() as platform, platform.database.write() as session:
        challenges.get(session, challenge)
        versions.lock(session, challenge)
        before = versions.current(session, challenge).number
        version = versions.make_current(session, versions.numbered(session, challenge, number))
        actor = console.operator(by)
        audit.record(session, actor, "scoring.use", challenge, str(number), reason, before=before)
        view = versions.view(version, console.operator())
    console.show(view.model_dump(), as_json, f"The board of {challenge} is that of scoring version {number}.")
