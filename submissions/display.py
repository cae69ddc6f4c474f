"""How `moodarena` shows the platform's answers and the findings of a check."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from rich.table import Table

from challenges.spec import Challenge
from scoring.report.study import Predictions
from submissions import console, responses
from submissions.check import CaseReport, Inspection, ScriptReport
from submissions.console import add, say, show, table
from submissions.contract import size_text as size

_LOG_LINES = 40


def time(moment: datetime | None) -> str:
    """A time in the reader's own zone."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M") if moment else "–"


def duration(seconds: float | None) -> str:
    """A duration for people."""
    if seconds is None:
        return "–"
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


def number(value: float | None, decimals: int = 3) -> str:
    """A figure with a fixed number of decimals."""
    return "–" if value is None else f"{value:.{decimals}f}"


def counts(outcomes: dict[str, Any]) -> str:
    """How many cases had each outcome, as in "3 scored, 1 missing"."""
    return ", ".join(f"{count} {outcome.replace('_', ' ')}" for outcome, count in outcomes.items() if count)


# --- teams and challenges ---


def team(found: responses.Team, as_json: bool) -> None:
    """A team and its members."""
    if as_json:
        console.emit(found)
        return
    waits = "" if found.approved else " (waits for the organizers' approval)"
    show(f"{found.name}{waits}: {', '.join(member.name for member in found.members)}")


def challenges(found: Sequence[responses.ChallengeSummary], as_json: bool) -> None:
    """A list of challenges."""
    if as_json:
        console.emit(found)
        return
    listed = table("id", "title", "about")
    for item in found:
        add(listed, item.id, item.title, item.description)
    show(listed)


def leaderboard(board: responses.Leaderboard) -> None:
    """One task's ranking: per dataset the average precision, with the place in brackets."""
    listed = table(">place", "team", *(f">AP {name}" for name in board.datasets), title=f"Task {board.task}")
    for row in board.rows:
        figures = [
            f"{number(row.ap.get(name), board.decimals)} ({row.places.get(name, '–')})"
            for name in board.datasets
        ]
        add(listed, row.place, f"{row.team}{' *' if row.baseline else ''}", *figures)
    show(listed)
    if not board.rows:
        show("Nobody has a place yet.")
    if any(row.baseline for row in board.rows):
        show("* a baseline of the organizers")


# --- submissions ---


def submissions(found: Sequence[responses.Submission], as_json: bool) -> None:
    """A list of submissions, newest first."""
    if as_json:
        console.emit(found)
        return
    listed = table("id", "challenge", "kind", "task", "state", "created", "title")
    for item in found:
        add(
            listed,
            item.id,
            item.challenge,
            item.kind,
            item.task,
            _state(item),
            time(item.created_at),
            item.title,
        )
    show(listed if found else "No submissions yet.")


def submission_brief(found: responses.Submission, as_json: bool) -> None:
    """One line, led by the id."""
    if as_json:
        console.emit(found)
    else:
        show(f"{found.id} {found.state}")


def submission(found: responses.Submission, as_json: bool) -> None:
    """State, history and runs of one submission."""
    if as_json:
        console.emit(found)
        return
    about = f"{found.kind}{f', task {found.task}' if found.task else ''}"
    show(f"{found.id} ({about}): {_state(found)}")
    for step in found.transitions:
        show(f"  {time(step.at)}  {step.after:10} {step.cause}")
    _failure(found)
    for warning in found.warnings:
        show(f"Note: {warning}")
    _runs(found.runs)


def _state(found: responses.Submission) -> str:
    ahead, left = found.queue_position, found.estimate
    place = f", place {ahead} in the queue" if ahead else ""
    return f"{found.state}{place}{f', done in {left.text}' if left else ''}"


def _failure(found: responses.Submission) -> None:
    if found.failure:
        show(f"Failed: {found.failure.message} ({found.failure.code})")
        command = f" Type: {found.failure.command}" if found.failure.command else ""
        if found.failure.remedy:
            show(f"What to do: {found.failure.remedy}{command}")


def _runs(runs: Sequence[responses.Run]) -> None:
    listed = table("stage", "task", "dataset", "state", ">time", ">memory", "failure")
    for run in runs:
        memory = size(run.peak_memory) if run.peak_memory else None
        wall = duration(run.wall_seconds)
        add(listed, run.stage, run.task, run.dataset, run.state, wall, memory, run.failure_code)
    if runs:
        show(listed)


def change(before: responses.Submission | None, now: responses.Submission) -> None:
    """What is new since the last look, in one line a change."""
    known = len(before.transitions) if before else 0
    for step in now.transitions[known:]:
        say(f"{time(step.at)}  {step.after} ({step.cause})")
    if now.queue_position and (before is None or before.queue_position != now.queue_position):
        say(f"Waiting at place {now.queue_position} of the queue.")
    if now.is_final:
        results(now, as_json=False)


def results(found: responses.Submission, as_json: bool) -> None:
    """Toy results case by case with their logs, and the scores that are public."""
    if as_json:
        console.emit(found)
        return
    show(f"{found.id}: {found.state}")
    _failure(found)
    for toy in found.toy:
        _toy(toy)
    _scores(found)
    _runs(found.runs)
    for run in found.runs:
        if run.log and run.state == "failed":
            show(f"Log of {run.task} on {run.dataset}:", _tail(run.log))


def _toy(toy: responses.ToyScore) -> None:
    figure = f"AP {number(toy.average_precision)}" if toy.average_precision is not None else "no AP"
    show(f"Toy, {toy.task} on {toy.dataset}: {figure}; {counts(toy.outcomes)}")
    show(_cases(toy.cases))
    for case in toy.cases:
        if case.warning:
            show(f"Warning: {case.name}: {case.warning}.")


def _cases(cases: Sequence[responses.ToyCase | CaseReport]) -> Table:
    """Name, outcome and detail; score, or average precision of a case's voxels, where the task has them."""
    scored = any(case.score is not None for case in cases)
    ranked = any(case.average_precision is not None for case in cases)
    figures = [*([">score"] if scored else []), *([">AP", ">AP as written"] if ranked else [])]
    listed = table("toy case", "outcome", *figures, "detail")
    for case in cases:
        values = [number(case.score, 6)] if scored else []
        values += [number(case.average_precision), number(case.exact_average_precision)] if ranked else []
        add(listed, case.name, case.outcome.replace("_", " "), *values, case.detail)
    return listed


def _scores(found: responses.Submission) -> None:
    if found.scores_withheld:
        show(found.scores_withheld)
    listed = table("task", "dataset", ">AP", "hidden cases")
    for score in found.scores:
        figure = None if score.average_precision is None else f"{score.average_precision:.6g}"
        add(listed, score.task, score.dataset, figure, counts(score.outcomes))
    if found.scores:
        show(listed)


# --- a check ---


def inspection(found: Inspection, challenge: Challenge) -> None:
    """What the archive holds."""
    facts = found.facts
    say(f"The archive is accepted: {facts.id[:19]}, {size(facts.unpacked_bytes)} unpacked.", "green")
    for warning in facts.warnings:
        say(f"Note: {warning}", "yellow")
    for script in found.lacking.values():
        say(f"Note: the image has no {script}, so this is not run.", "yellow")


def script(report: ScriptReport, with_log: bool) -> None:
    """One script's run; on standard error, since the summary is the result."""
    figure = f"AP {number(report.average_precision)}" if report.average_precision is not None else "no AP"
    # Memory is sampled; of a container that ends at once there is no sample.
    memory = f", {size(report.peak_memory)} of memory at most" if report.peak_memory else ""
    say(
        f"{report.task} on {report.dataset}: {figure}; {counts(report.outcomes)}; "
        f"{duration(report.wall_seconds)}{memory}",
        "bold" if report.failure is None else "bold red",
    )
    console.messages().print(_cases(report.cases))
    for case in report.cases:
        if case.warning:
            say(f"Warning: {case.name}: {case.warning}.", "yellow")
    if report.undefined_because:
        say(f"No AP: {report.undefined_because}")
    if report.failure:
        say(f"Refused: {report.failure.message} ({report.failure.code})", "red")
    if report.log and (with_log or report.failure):
        say("The script wrote:")
        say(_tail(report.log), "dim")


def verdict(fine: bool, found: Inspection, challenge: Challenge) -> None:
    """The end of a check."""
    for task, scripts in found.incomplete(challenge).items():
        say(f"A counted submission of {task} needs {' and '.join(scripts)} as well.", "yellow")
    if fine:
        say("All fine: a toy submission of this image would be scored.", "green")
    else:
        say("The platform would end a toy submission of this image as failed.", "red")


def check_json(found: Inspection, challenge: Challenge, reports: Sequence[ScriptReport]) -> dict[str, Any]:
    """The findings of a check for programs."""
    return {
        "fine": not any(report.failure for report in reports),
        "image_id": found.facts.id,
        "unpacked_bytes": found.facts.unpacked_bytes,
        "warnings": list(found.facts.warnings),
        "lacking": list(found.lacking.values()),
        "incomplete": found.incomplete(challenge),
        "scripts": [_script_json(report) for report in reports],
    }


def _script_json(report: ScriptReport) -> dict[str, Any]:
    told = asdict(replace(report, predictions=Predictions({})))
    del told["predictions"]
    return {**told, "outcomes": report.outcomes}


def _tail(log: str) -> str:
    lines = log.rstrip("\n").split("\n")
    left_out = len(lines) - _LOG_LINES
    return "\n".join([f"… {left_out} lines before", *lines[-_LOG_LINES:]] if left_out > 0 else lines)
