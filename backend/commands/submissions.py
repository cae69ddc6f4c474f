"""`python -m backend submissions …`: the operator's view, with the full story of every failure."""

from collections.abc import Iterator
from typing import Annotated

import numpy as np
import typer
from sqlalchemy.orm import Session

from backend.audit import service as audit
from backend.challenges import service as challenges
from backend.commands import console
from backend.commands.console import By, Json, Reason
from backend.errors import BadInput, Conflict
from backend.intake import analysing, operations
from backend.intake.wake import announce
from backend.models.user import User
from backend.platform import Platform
from backend.results import service as results
from backend.results.leaderboard import last_scored
from backend.results.schemas import SubmissionView

app = typer.Typer(no_args_is_help=True, help="Submissions of all teams.")


@app.command("list")
def list_submissions(
    challenge: Annotated[str | None, typer.Option()] = None,
    state: Annotated[str | None, typer.Option(help="verify, toy, test, score, ranked, failed …")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 50,
    after: Annotated[str, typer.Option(help="The last id of the page before.")] = "",
    as_json: Json = False,
) -> None:
    """Submissions, newest first."""
    with console.opened() as platform, platform.database.read() as session:
        page = results.list_everything(session, console.operator(), challenge, state, limit, after)
    if as_json:
        console.show(page.model_dump(), True)
        return
    rows = [
        item.model_dump()
        | {
            "team": item.team.name,
            "made": console.moment(item.created_at),
            "failure": item.failure.code if item.failure else "",
        }
        for item in page.items
    ]
    console.show_rows(rows, False, ("id", "challenge", "team", "kind", "task", "state", "failure", "made"))


@app.command()
def show(submission: str, as_json: Json = False) -> None:
    """One submission with the operator's full story."""
    with console.opened() as platform, platform.database.read() as session:
        found = results.find_submission(session, submission, console.operator())
        view = results.submission_view(session, found, console.operator())
    console.show(view.model_dump(), as_json, *_story(view))


def _story(view: SubmissionView) -> Iterator[str]:
    yield f"{view.id}: {view.title} ({view.kind} {view.task or ''}) by {view.team.name}: {view.state}"
    for step in view.transitions:
        yield f"  {console.moment(step.at)}  {step.before or '-'} → {step.after}: {step.cause}"
    if view.operator is None:
        return
    if view.operator.failure_message:
        yield f"Told to the team: {view.operator.failure_message}"
    if view.operator.failure_detail:
        yield f"What happened{' (our fault)' if view.operator.failure_ours else ''}:"
        yield view.operator.failure_detail
    if view.operator.analysis:
        sets = view.operator.analysis
        yield f"Analysis sets: {sets.done} of {sets.runs} runs done, {sets.failed} failed, {sets.open} to do"
    for run in view.operator.runs:
        where = f"{run.stage} {run.task} {run.dataset} shard {run.shard}"
        yield f"run {run.id}: {where}: {run.state}, attempt {run.attempt}, {run.worker or 'no worker yet'}"
        yield from (text for text in (run.failure_code, run.failure_detail) if text)
    for score in view.scores:
        yield f"{score.task} {score.dataset}: average precision {score.average_precision}"


@app.command()
def cancel(submission: str, reason: Reason = "", by: By = "", as_json: Json = False) -> None:
    """Stop a submission; it costs its team nothing."""
    with console.opened() as platform, platform.database.write() as session:
        state = operations.cancel(session, submission, console.operator(by), reason).state
    console.show({"id": submission, "state": state}, as_json, f"{submission} is {state}.")


@app.command()
def rerun(submission: str, reason: Reason = "", by: By = "", as_json: Json = False) -> None:
    """Run a submission that is over again from the beginning; its old results are removed."""
    with console.opened() as platform:
        with platform.database.write() as session:
            actor = console.operator(by)
            state = operations.rerun(session, platform.storage, submission, actor, reason).state
        announce(platform)
    console.show({"id": submission, "state": state}, as_json, f"{submission} waits for a worker again.")


@app.command()
def rescore(submission: str, reason: Reason = "", by: By = "", as_json: Json = False) -> None:
    """Compute its figures anew from what is stored, under all scoring versions; no container runs."""
    with console.opened() as platform:
        changes = operations.rescore(platform.database, submission, console.operator(by), reason)
    told = f"{len(changes)} figures changed" if changes else "every figure is what it was"
    console.show({"id": submission, "changed": changes}, as_json, f"{submission}: {told}.")


@app.command()
def withdraw(submission: str, reason: Reason = "", by: By = "", as_json: Json = False) -> None:
    """Take a ranked submission off the board; the team's ranked one before it counts again."""
    with console.opened() as platform, platform.database.write() as session:
        state = operations.withdraw(session, submission, console.operator(by), reason).state
    console.show({"id": submission, "state": state}, as_json, f"{submission} is {state}.")


@app.command()
def reinstate(submission: str, reason: Reason = "", by: By = "", as_json: Json = False) -> None:
    """Put a withdrawn submission on the board again."""
    with console.opened() as platform, platform.database.write() as session:
        state = operations.reinstate(session, submission, console.operator(by), reason).state
    console.show({"id": submission, "state": state}, as_json, f"{submission} is {state} again.")


@app.command()
def analyse(
    submission: Annotated[str, typer.Argument(help="A ranked submission; all on a board if not given.")] = "",
    challenge: Annotated[str, typer.Option(help="All submissions on this challenge's board.")] = "",
    again: Annotated[bool, typer.Option("--again", help="Also what was done before.")] = False,
    reason: Reason = "",
    by: By = "",
    as_json: Json = False,
) -> None:
    """Run ranked submissions on the analysis sets where that lacks or failed by our fault."""
    if bool(submission) == bool(challenge):
        raise BadInput("one_or_all", "Name a submission, or a challenge with `--challenge`.")
    planned: dict[str, int] = {}
    refused: dict[str, str] = {}
    with console.opened() as platform:
        for name in [submission] if submission else _on_board(platform, challenge):
            try:
                with platform.database.write() as session:
                    rng = np.random.default_rng()
                    planned[name] = analysing.analyse(session, platform.storage, name, rng, again)
                    _record_analysis(session, console.operator(by), name, reason, planned[name])
            except Conflict as error:
                if submission:
                    raise
                refused[name] = error.message
        announce(platform)
    lines = [f"{name}: {count} runs wait for a worker." for name, count in planned.items()]
    lines += [f"{name}: {reason}" for name, reason in refused.items()]
    lines = lines or [f"Nobody has a place in {challenge} yet."]
    console.show({"planned": planned, "refused": refused}, as_json, *lines)


def _record_analysis(session: Session, actor: User, submission: str, reason: str, runs: int) -> None:
    challenge = operations.found(session, submission).challenge_id
    audit.record(session, actor, "submission.analyse", challenge, submission, reason, runs=runs)


def _on_board(platform: Platform, challenge: str) -> list[str]:
    with platform.database.read() as session:
        tasks = challenges.get(session, challenge).spec.tasks
        return [row.id for task in tasks for row in last_scored(session, challenge, task)]
