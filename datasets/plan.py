"""Which cases a dataset will have, decided from the challenge and the secret before anything is drawn."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Literal

from challenges.spec import Challenge, Dataset, Part
from datasets.anomalies.kinds import GLOBAL, LOCAL, TOY
from datasets.anomalies.scene import Category
from datasets.populations.registry import POPULATIONS
from datasets.seeds import Seeds

__all__ = ["POPULATIONS", "PlanError", "Planned", "cases", "check"]


class PlanError(ValueError):
    """The challenge asks for what does not exist; the message names the field and what may stand there."""


@dataclass(frozen=True)
class Planned:
    """One case to be made; fields as in `manifest.Case`."""

    id: str
    part: Part
    name: str
    tasks: tuple[str, ...]
    label: Literal[0, 1] | None
    category: Category | None
    kind: str | None


def check(challenge: Challenge) -> None:
    """See that every population and kind exists.

    Raises:
        PlanError: one does not, or masks are needed and no local kind is listed.
    """
    for slug, dataset in challenge.datasets.items():
        if dataset.population not in POPULATIONS:
            raise PlanError(
                f"datasets.{slug}.population: there is no {dataset.population!r}; "
                f"choose one of {sorted(POPULATIONS)}"
            )
        _check_kinds(slug, dataset)
        if _voxel_tasks(challenge) and not dataset.anomalies.get("local"):
            raise PlanError(
                f"datasets.{slug}.anomalies.local lists no kind, but voxel scores need masks; "
                f"add some of {sorted(LOCAL)}"
            )
        if not any(dataset.anomalies.values()):
            raise PlanError(
                f"datasets.{slug}.anomalies lists no kind; add some of {sorted([*LOCAL, *GLOBAL])}"
            )


def _check_kinds(slug: str, dataset: Dataset) -> None:
    known: dict[str, list[str]] = {"local": sorted(LOCAL), "global": sorted(GLOBAL)}
    for category, kinds in dataset.anomalies.items():
        for kind in kinds:
            if kind not in known[category]:
                raise PlanError(
                    f"datasets.{slug}.anomalies.{category}: there is no {category} kind {kind!r}; "
                    f"choose from {known[category]}"
                )


def cases(challenge: Challenge, slug: str, seeds: Seeds) -> list[Planned]:
    """All cases of one dataset: training, toy, then test in an order that only the secret knows."""
    counts = challenge.datasets[slug].cases
    key = (challenge.id, slug)
    training = [
        Planned(seeds.name(*key, "training", str(i)), "training", f"{i:05d}.nii.gz", (), None, None, None)
        for i in range(counts.training)
    ]
    toys = [
        _toy(seeds.name(*key, "toy", str(i)), i, tuple(challenge.tasks), abnormal=i < counts.toy_abnormal)
        for i in range(counts.toy_abnormal + counts.toy_normal)
    ]
    test = sorted(_test_cases(challenge, slug, seeds), key=lambda case: case.id)
    return [*training, *toys, *test]


def _toy(identity: str, index: int, tasks: tuple[str, ...], abnormal: bool) -> Planned:
    category: Category | None = "local" if abnormal else None
    kind = TOY if abnormal else None
    return Planned(identity, "toy", f"toy_{index}.nii.gz", tasks, 1 if abnormal else 0, category, kind)


def _test_cases(challenge: Challenge, slug: str, seeds: Seeds) -> list[Planned]:
    """Abnormal cases with masks first, then the others: each task takes the first of them that it needs.

    So the cases of a voxel task are also cases of every larger task, and an abnormal case that serves no
    voxel task needs no mask.
    """
    dataset = challenge.datasets[slug]
    abnormal = {task: _abnormal(total, dataset.abnormal_share) for task, total in dataset.cases.test.items()}
    normal = {task: total - abnormal[task] for task, total in dataset.cases.test.items()}
    with_mask = max((abnormal[task] for task in _voxel_tasks(challenge)), default=0)
    kinds = _rotation(dataset, with_mask, max(abnormal.values()))
    made = [
        _test_case(challenge, slug, seeds, f"abnormal-{i}", _served(abnormal, i), category, kind)
        for i, (category, kind) in enumerate(kinds)
    ]
    made += [
        _test_case(challenge, slug, seeds, f"normal-{i}", _served(normal, i), None, None)
        for i in range(max(normal.values()))
    ]
    return made


def _test_case(
    challenge: Challenge,
    slug: str,
    seeds: Seeds,
    place: str,
    tasks: tuple[str, ...],
    category: Category | None,
    kind: str | None,
) -> Planned:
    key = (challenge.id, slug, "test", place)
    name = f"{seeds.name(*key, 'file')}.nii.gz"
    return Planned(seeds.name(*key), "test", name, tasks, 1 if kind else 0, category, kind)


def _abnormal(total: int, share: float) -> int:
    """As near to the share as whole cases allow, but some of both labels where there are two cases."""
    return min(max(int(total * share + 0.5), 1), max(total - 1, 1))


def _served(needed: dict[str, int], index: int) -> tuple[str, ...]:
    return tuple(task for task, count in needed.items() if index < count)


def _rotation(dataset: Dataset, with_mask: int, total: int) -> list[tuple[Category, str]]:
    """Kinds in turn: local ones for the cases that need a mask, global ones (if any) for the others."""
    local: list[tuple[Category, str]] = [("local", kind) for kind in dataset.anomalies.get("local", [])]
    others: list[tuple[Category, str]] = [("global", kind) for kind in dataset.anomalies.get("global", [])]
    if not with_mask or not others:
        others = [*local, *others]
    masked = [kind for kind, _ in zip(cycle(local), range(with_mask), strict=False)]
    return masked + [kind for kind, _ in zip(cycle(others), range(total - with_mask), strict=False)]


def _voxel_tasks(challenge: Challenge) -> Sequence[str]:
    return [name for name, task in challenge.tasks.items() if task.level == "voxel"]
