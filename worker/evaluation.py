"""The story of one run: from a lease to a result in the database."""

import logging
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace

from sqlalchemy.orm import Session, joinedload

from backend.intake import wake
from backend.models.run import Run
from backend.models.score import CaseResult
from backend.models.submission import Submission
from backend.results import figures, rescoring, versions
from challenges.spec import Challenge
from submissions.archive import ArchiveLimits, ArchiveRejected
from submissions.container import Stop
from submissions.contract import Code, Failure, Outcome, failure, general_message, scripts_of
from submissions.image import inspect_archive
from submissions.verdict import failure_of_cases
from worker import images, leases, shards, stages
from worker.bench import Bench
from worker.errors import Rejected, Stopped
from worker.heartbeat import Heartbeat
from worker.leases import Lease, LeaseLost

log = logging.getLogger(__name__)


def run(bench: Bench, lease: Lease) -> bool:
    """Carry out one claimed run. Every end is written down, or left to the next attempt.

    Returns:
        False if the platform failed: this node may be in trouble.
    """
    well = True
    try:
        with bench.platform.database.read() as session:
            task = session.get_one(Run, lease.run_id, options=[joinedload(Run.submission)])
            challenge = task.submission.challenge.spec
        with Heartbeat(bench.platform.database, lease, bench.platform.settings) as heart:
            _STORIES[task.stage](bench, lease, task, challenge, heart)
    except LeaseLost as lost:
        log.warning("%s: %s was given to somebody else; nothing is written", bench.slot, lost)
    except Stopped as stopped:
        _stopped(bench, lease, stopped)
    except Rejected as rejected:
        cause = rejected.failure
        _guarded(bench, lease, lambda session: _reject(session, lease, cause))
    except Exception as error:
        well = False
        log.exception("%s: run %s failed by our fault", bench.slot, lease.run_id)
        cause = failure(Code.PLATFORM, detail="".join(traceback.format_exception(error)))
        attempts = bench.platform.settings.max_attempts
        _guarded(bench, lease, lambda session: leases.give_back(session, lease, cause, attempts))
    wake.announce(bench.platform)
    return well


def _verify(bench: Bench, lease: Lease, task: Run, challenge: Challenge, heart: Heartbeat) -> None:
    submission = task.submission
    scripts = scripts_of(challenge.entry, challenge.tasks, challenge.datasets)
    archive = bench.blobs.ensure(submission.archive_sha256)
    try:
        facts = inspect_archive(archive, ArchiveLimits.of(challenge.limits), look_for=list(scripts.values()))
    except ArchiveRejected as rejected:
        raise Rejected(rejected.failure) from rejected
    _require_scripts(challenge, submission, facts.found)
    images.ensure(bench, lease, submission, facts.id)
    with bench.platform.database.write() as session:
        submission, run = leases.hold(session, lease)
        submission.image_id, submission.image_volumes = facts.id, list(facts.volumes)
        submission.scripts, submission.warnings = sorted(facts.found), list(facts.warnings)
        _done(session, submission, run, bench)


def _require_scripts(challenge: Challenge, submission: Submission, found: frozenset[str]) -> None:
    tasks = [submission.task] if submission.task else list(challenge.tasks)
    wanted = list(scripts_of(challenge.entry, tasks, challenge.datasets).values())
    lacking = [script for script in wanted if script not in found]
    needs_all = submission.kind == "counted" and challenge.counted.all_datasets
    if lacking and (needs_all or len(lacking) == len(wanted)):
        raise Rejected(failure(Code.SCRIPT_MISSING, scripts=" and no ".join(lacking)))


def _shard(bench: Bench, lease: Lease, task: Run, challenge: Challenge, heart: Heartbeat) -> None:
    shard = shards.Shard(bench, lease, task, challenge)
    with shard.kept as kept:
        ended = shard.evaluate(heart)
        verdict = _verdict(task, challenge, ended.failure, ended.results)
        with bench.platform.database.write() as session:
            submission, run = leases.hold(session, lease)
            session.add_all(ended.results)
            run.wall_seconds, run.peak_memory = ended.wall_seconds, ended.peak_memory
            run.log = ended.log if task.stage == "toy" else None
            kept.put_in_place()
            if verdict is None:
                _done(session, submission, run, bench)
            else:
                detail = f"{verdict.detail}\n\n{ended.log}".strip()
                _fail(session, submission, run, replace(verdict, detail=detail))


def _verdict(
    task: Run, challenge: Challenge, ended: Failure | None, results: Sequence[CaseResult]
) -> Failure | None:
    """Whether the shard's end, or what it left, fails the submission; toys fail for every blemish.

    On analysis sets it fails the run only.
    """
    if task.stage == "toy":
        return ended or _blemish(task, results)
    if task.is_beside:
        cause = ended
    else:
        blemish = _blemish(task, results) if challenge.tasks[task.task].missing == "reject" else None
        cause = (ended if blemish or challenge.counted.on_incomplete == "fail" else None) or blemish
    return cause and replace(
        cause, message=general_message(cause.code), detail=f"{cause.message}\n{cause.detail}".strip()
    )


def _blemish(task: Run, results: Sequence[CaseResult]) -> Failure | None:
    """The failure for the first case without a usable prediction, or None if all have one."""
    names = {item["id"]: item["name"] for item in task.cases}
    return failure_of_cases(
        [(names[result.case_id], Outcome(result.outcome), result.detail) for result in results]
    )


def _score(bench: Bench, lease: Lease, task: Run, challenge: Challenge, heart: Heartbeat) -> None:
    # Computed before the lock is taken: all results are there, and nobody adds to them any more.
    with bench.platform.database.read() as session:
        submission = session.get_one(Submission, task.submission_id)
        known = versions.everything(session, submission.challenge_id)
        scores = figures.score(session, submission, known, task.id)
    with bench.platform.database.write() as session:
        submission, run = leases.hold(session, lease)
        session.add_all(rescoring.score_under_all(session, submission, task.id, scores))
        _done(session, submission, run, bench)


_STORIES = {"verify": _verify, "toy": _shard, "test": _shard, "score": _score, "analysis": _shard}


def _done(session: Session, submission: Submission, run: Run, bench: Bench) -> None:
    leases.close(run, "done")
    session.flush()
    stages.advance(session, submission, bench.rng)


def _reject(session: Session, lease: Lease, cause: Failure) -> None:
    submission, run = leases.hold(session, lease)
    _fail(session, submission, run, cause)


def _fail(session: Session, submission: Submission, run: Run, cause: Failure) -> None:
    run.failure_code, run.failure_message, run.failure_detail = cause.code, cause.message, cause.detail
    leases.close(run, "failed")
    if not run.is_beside and not submission.is_final:
        submission.fail(session, cause)
        leases.cancel_rest(session, submission)


def _stopped(bench: Bench, lease: Lease, stopped: Stopped) -> None:
    log.info("%s: run %s: %s", bench.slot, lease.run_id, stopped.reason)
    if stopped.reason is Stop.CANCELLED:
        _guarded(bench, lease, lambda session: leases.close(leases.hold(session, lease)[1], "cancelled"))


def _guarded(bench: Bench, lease: Lease, write: Callable[[Session], None]) -> None:
    """Write an unhappy end. If even that is impossible, the lease runs out and the sweep takes over."""
    try:
        with bench.platform.database.write() as session:
            write(session)
    except LeaseLost as lost:
        log.warning("%s: %s was given to somebody else; nothing is written", bench.slot, lost)
    except Exception:
        log.exception(
            "%s: run %s: its end could not be written; its lease will run out", bench.slot, lease.run_id
        )
