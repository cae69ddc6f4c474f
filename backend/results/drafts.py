"""Scoring versions to be: the rules of the current one with some of them changed."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError
from sqlalchemy.orm import Session

from backend.challenges import service as challenges
from backend.errors import BadInput
from backend.models.challenge import Challenge
from backend.models.scoring import ScoringVersion
from backend.results import versions
from backend.results.arrangements import arrangements_of, draw, is_drawn
from backend.results.versions import Policy, Rules
from challenges import spec
from datasets.manifest import Manifest

Drawn = dict[str, dict[str, Any]]  # by dataset and task
LARGEST_SEED = 1 << 31


@dataclass(frozen=True)
class Change:
    """What is to be different in `tasks`, all of them when empty; None leaves a rule as it is.

    `rules` are a whole policy, as of another YAML, on which the other changes build.
    """

    tasks: Sequence[str] = ()
    missing: spec.Missing | None = None
    batch_size: int | None = None
    arrangements: int | None = None
    arrangement_seed: int | None = None
    rules: Policy = field(default_factory=dict)


def draft(
    session: Session, challenge: Challenge, change: Change, reason: str, created_by: str
) -> ScoringVersion:
    """A version that is not in the database yet.

    Batches stay as they are unless a seed asks for new ones, or their size or number is to be another one:
    then they are those that the datasets were built with, or drawn where these have none such.

    Raises:
        BadInput: no reason is given, there is no such task, or the rules cannot be.
    """
    if not reason.strip():
        raise BadInput("reason_missing", "Say why with `--reason`: it is shown beside the board.")
    current = versions.current(session, challenge.id)
    policy = _changed(current.policy, challenge.spec, change)
    manifests = [row.manifest for row in challenges.current_versions(session, challenge.id)]
    arrangements, seed = _arrangements(current, manifests, versions.rules_of(policy), change)
    return ScoringVersion(
        challenge_id=challenge.id,
        policy=policy,
        arrangements=arrangements,
        arrangement_seed=seed,
        reason=reason.strip(),
        created_by=created_by,
    )


def _changed(policy: Policy, challenge: spec.Challenge, change: Change) -> Policy:
    policy = policy | {
        name: rules for name, rules in change.rules.items() if not change.tasks or name in change.tasks
    }
    wanted = list(change.tasks or policy)
    if unknown := set(wanted) - set(policy):
        raise BadInput("no_such_task", f"There is no task {min(unknown)}, only {', '.join(policy)}.")
    in_batches = {name for name in wanted if policy[name]["metric"]["over"] == "batches"}
    metric = {"batch_size": change.batch_size, "arrangements": change.arrangements}
    metric = {name: value for name, value in metric.items() if value is not None}
    if (metric or change.arrangement_seed is not None) and not in_batches:
        raise BadInput("no_batches", f"{', '.join(wanted)}: scored over all cases, so there are no batches.")
    for name in wanted:
        changed = {
            "missing": change.missing or policy[name]["missing"],
            "metric": policy[name]["metric"] | (metric if name in in_batches else {}),
        }
        policy[name] = _checked(challenge, name, changed)
    return policy


def _checked(challenge: spec.Challenge, name: str, changed: Mapping[str, Any]) -> Policy:
    try:
        if name in challenge.tasks:
            task = spec.Task.model_validate(challenge.tasks[name].model_dump() | dict(changed))
            return task.model_dump(mode="json", include={"missing", "metric"})
        metric = spec.Metric.model_validate(changed["metric"])
    except ValidationError as error:
        first = error.errors()[0]
        raise BadInput("rules_invalid", f"{name}: {first['msg']}") from error
    return {"missing": changed["missing"], "metric": metric.model_dump(mode="json")}


def _arrangements(
    current: ScoringVersion, manifests: Sequence[Manifest], rules: Mapping[str, Rules], change: Change
) -> tuple[Drawn | None, int | None]:
    metrics = {name: rule.metric for name, rule in rules.items() if rule.metric.over == "batches"}
    asked = set(change.tasks or metrics) & metrics.keys() if change.arrangement_seed is not None else set()
    same = {name for name, metric in metrics.items() if _batches(metric) == _batches_under(current, name)}
    kept = {name for name in same - asked if is_drawn(current, name)}
    fits = same | {name for name, metric in metrics.items() if _built(manifests, name, metric)}
    new = asked | (metrics.keys() - fits)
    if not kept | new:
        return None, None
    seed = _seed(current, kept, change)
    drawn: Drawn = {}
    for manifest in manifests:
        of_tasks = {name: _draw(manifest, name, metrics[name], seed) for name in sorted(new)}
        drawn[manifest.dataset] = of_tasks | {
            name: arrangements_of(current, manifest, name, metrics[name]) for name in sorted(kept)
        }
    return drawn, seed


def _batches(metric: spec.Metric) -> tuple[int | None, int]:
    return metric.batch_size, metric.arrangements


def _batches_under(version: ScoringVersion, task: str) -> tuple[int | None, int] | None:
    rules = versions.rules_of(version.policy).get(task)
    return _batches(rules.metric) if rules else None


def _built(manifests: Sequence[Manifest], task: str, metric: spec.Metric) -> bool:
    """Whether the datasets were built with such batches."""
    for manifest in manifests:
        built, cases = manifest.arrangements.get(task, []), len(manifest.cases_of("test", task))
        if not cases:
            continue  # built before there was such a task
        largest = {max(map(len, batches)) for batches in built}
        if len(built) < metric.arrangements or largest != {min(metric.batch_size or cases, cases)}:
            return False
    return True


def _seed(current: ScoringVersion, kept: set[str], change: Change) -> int:
    asked = change.arrangement_seed
    if not kept or current.arrangement_seed is None:
        return secrets.randbelow(LARGEST_SEED) if asked is None else asked
    if asked not in (None, current.arrangement_seed):
        raise BadInput(
            "seeds_differ",
            f"{', '.join(sorted(kept))} would keep batches drawn with the seed {current.arrangement_seed}, "
            "and a version has one seed. Name that seed, or all tasks.",
        )
    return current.arrangement_seed


def _draw(manifest: Manifest, task: str, metric: spec.Metric, seed: int) -> Any:
    try:
        return draw(manifest, task, metric, seed)
    except ValueError as error:
        raise BadInput("no_batches", f"{manifest.dataset}: {error}") from error
