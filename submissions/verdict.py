"""From the end of a container to what its participant must change, for worker and `moodarena check` alike."""

from collections.abc import Sequence

from submissions.container import RunOutcome
from submissions.contract import (
    Code,
    Failure,
    Outcome,
    explain_exit,
    failure,
    failure_of_case,
    size_text,
)
from submissions.sandbox import Job


def failure_of_run(job: Job, ended: RunOutcome) -> Failure | None:
    """Why a container did not end well, or None if it did; a cancelled run is for the caller to tell."""
    if ended.succeeded:
        return None
    if ended.timed_out:
        return failure(Code.TIMED_OUT, ended.cause, seconds=job.seconds, cases=job.cases)
    if ended.out_of_memory:
        return failure(Code.OUT_OF_MEMORY, ended.cause, limit=size_text(job.limits.memory))
    if ended.output_full:
        return failure(Code.OUTPUT_FULL, ended.cause, limit=size_text(job.output_bytes))
    if ended.exit_code is None:
        return failure(Code.CRASHED, ended.cause)
    return failure(Code.CRASHED, ended.cause, exit_code=ended.exit_code, hint=explain_exit(ended.exit_code))


def unfinished_outcome(ended: RunOutcome) -> Outcome | None:
    """What became of cases without output: timed out or crashed; None if the container ended well."""
    if ended.succeeded:
        return None
    return Outcome.TIMED_OUT if ended.timed_out else Outcome.CRASHED


def failure_of_cases(cases: Sequence[tuple[str, Outcome, str]]) -> Failure | None:
    """The failure for the first of the cases (name, outcome, detail) that was not scored, or None."""
    bad = [case for case in cases if case[1] is not Outcome.SCORED]
    if not bad:
        return None
    name, outcome, detail = bad[0]
    if outcome in (Outcome.CRASHED, Outcome.TIMED_OUT):
        return failure(Code(outcome))
    return failure_of_case(outcome, name, detail, others=sum(other[1] is outcome for other in bad) - 1)
