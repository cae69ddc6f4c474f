"""Which cases a dataset will have, decided from the challenge and the secret before anything is drawn."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

from challenges.spec import Challenge, Dataset
from datasets import analysis, strata
from datasets.anomalies.kinds import ALL, SHIPPED, TOY, Kinds
from datasets.anomalies.scene import CATEGORIES, Category
from datasets.planned import Planned
from datasets.populations.registry import IMPORTED, POPULATIONS
from datasets.seeds import Seeds

__all__ = ["POPULATIONS", "PlanError", "Planned", "cases", "check"]


class PlanError(ValueError):
    """The challenge asks for what does not exist; the message names the field and what may stand there."""


def check(challenge: Challenge, kinds: Kinds = SHIPPED) -> None:
    """See that every population and kind exists, and that the kinds suit the population.

    Raises:
        PlanError: one does not, or masks are needed and no local kind is listed.
    """
    for slug, dataset in challenge.datasets.items():
        if dataset.population not in (*POPULATIONS, IMPORTED):
            raise PlanError(
                f"datasets.{slug}.population: there is no {dataset.population!r}; "
                f"choose one of {sorted([*POPULATIONS, IMPORTED])}"
            )
        if dataset.population == IMPORTED and (dataset.variants or dataset.strata):
            raise PlanError(
                f"datasets.{slug}: nothing is known of imported people; remove `variants` and `strata`"
            )
        _check_kinds(slug, dataset, kinds)
        local, whole = (kinds.suiting(category, dataset.population) for category in CATEGORIES)
        if _voxel_tasks(challenge) and not _listed(dataset, kinds, "local"):
            raise PlanError(
                f"datasets.{slug}.anomalies.local lists no kind, but voxel scores need masks; "
                f"add some of {local}"
            )
        if not any(_listed(dataset, kinds, category) for category in CATEGORIES):
            raise PlanError(
                f"datasets.{slug}.anomalies lists no kind; add some of {sorted([*local, *whole])}"
            )


def _check_kinds(slug: str, dataset: Dataset, kinds: Kinds) -> None:
    for category in CATEGORIES:
        suiting = kinds.suiting(category, dataset.population)
        for kind in dataset.anomalies.get(category, []):
            if kind not in (ALL, *suiting):
                exists = kind in kinds.of(category)
                why = f"suits no {dataset.population}" if exists else "does not exist"
                raise PlanError(
                    f"datasets.{slug}.anomalies.{category}: the {category} kind {kind!r} {why}; "
                    f"choose from {suiting}, or write {ALL!r}"
                )


def cases(challenge: Challenge, slug: str, seeds: Seeds, kinds: Kinds = SHIPPED) -> list[Planned]:
    """All cases of one dataset: training, toy, test in an order that only the secret knows, analysis.

    Raises:
        StrataError: the challenge stratifies over a property that people do not have.
    """
    dataset = challenge.datasets[slug]
    key, counts = (challenge.id, slug), dataset.cases
    training = [
        Planned(
            seeds.name(*key, "training", str(i)), "training", f"{i:05d}.nii.gz", (), None, None, None,
            variant=variant,
        )
        for i, variant in enumerate(_variants(dataset, counts.training, seeds, *key, "training"))
    ]  # fmt: skip
    toys = [
        _toy(seeds.name(*key, "toy", str(i)), i, tuple(challenge.tasks), i < counts.toy_abnormal, variant)
        for i, variant in enumerate(
            _variants(dataset, counts.toy_abnormal + counts.toy_normal, seeds, *key, "toy")
        )
    ]
    test = sorted(_test_cases(challenge, slug, seeds, kinds), key=lambda case: case.id)
    return [*training, *toys, *test, *analysis.cases(challenge, slug, seeds, kinds)]


def _variants(dataset: Dataset, count: int, seeds: Seeds, *purpose: str) -> list[str | None]:
    """As many of each variant, give or take one, in no order."""
    if not dataset.variants:
        return [None] * count
    order = seeds.generator(*purpose, "variants").permutation(count)
    return [dataset.variants[int(place) % len(dataset.variants)] for place in order]


def _toy(identity: str, index: int, tasks: tuple[str, ...], abnormal: bool, variant: str | None) -> Planned:
    return Planned(
        identity, "toy", f"toy_{index}.nii.gz", tasks, 1 if abnormal else 0,
        category="local" if abnormal else None, kind=TOY if abnormal else None,
        difficulty="medium" if abnormal else None, variant=variant,
    )  # fmt: skip


def _test_cases(challenge: Challenge, slug: str, seeds: Seeds, kinds: Kinds) -> list[Planned]:
    """Abnormal cases with masks first, then the others: each task takes the first of them that it needs.

    So the cases of a voxel task are also cases of every larger task, and an abnormal case that serves no
    voxel task needs no mask.
    """
    dataset = challenge.datasets[slug]
    abnormal = {task: _abnormal(total, dataset.abnormal_share) for task, total in dataset.cases.test.items()}
    normal = {task: total - abnormal[task] for task, total in dataset.cases.test.items()}
    with_mask = max((abnormal[task] for task in _voxel_tasks(challenge)), default=0)
    made = [
        _test_case(challenge, slug, seeds, f"abnormal-{i}", _served(abnormal, i))
        for i in range(max(abnormal.values()))
    ]
    masked, others = _rotation(dataset, kinds, bool(with_mask))
    made = [
        *_with_kinds(challenge, slug, seeds, made[:with_mask], masked),
        *_with_kinds(challenge, slug, seeds, made[with_mask:], others),
    ]
    variants = _variants(dataset, max(normal.values()), seeds, challenge.id, slug, "normal")
    return made + [
        replace(_test_case(challenge, slug, seeds, f"normal-{i}", _served(normal, i)), variant=variant)
        for i, variant in enumerate(variants)
    ]


def _test_case(challenge: Challenge, slug: str, seeds: Seeds, place: str, tasks: tuple[str, ...]) -> Planned:
    key = (challenge.id, slug, "test", place)
    name = f"{seeds.name(*key, 'file')}.nii.gz"
    return Planned(seeds.name(*key), "test", name, tasks, 0, None, None)


def _with_kinds(
    challenge: Challenge, slug: str, seeds: Seeds, people: list[Planned], kinds: list[tuple[Category, str]]
) -> list[Planned]:
    """The cases with kind, difficulty and variant; over `strata`, people of one variant exchange theirs."""
    dataset = challenge.datasets[slug]
    chosen = []
    for index, person in enumerate(people):
        number, difficulty, variant = strata.combinations(
            index, len(kinds), dataset.difficulties, dataset.variants
        )
        category, kind = kinds[number]
        chosen.append(
            replace(person, label=1, category=category, kind=kind, difficulty=difficulty, variant=variant)
        )
    if not dataset.strata:
        return chosen
    chosen.sort(key=lambda case: case.variant or "")
    groups = [list(group) for _, group in groupby(chosen, key=lambda case: case.variant)]
    return [case for group in groups for case in _stratified(challenge, slug, seeds, group)]


def _stratified(challenge: Challenge, slug: str, seeds: Seeds, group: list[Planned]) -> list[Planned]:
    dataset, key = challenge.datasets[slug], (challenge.id, slug)
    people = [
        strata.survey(dataset, seeds.generator(*key, case.whose, "subject"), case.variant) for case in group
    ]
    rng = seeds.generator(*key, "strata", group[0].id)
    given = strata.spread(people, [str(case.kind) for case in group], dataset.strata, rng)
    return [
        replace(group[person], category=case.category, kind=case.kind, difficulty=case.difficulty)
        for case, person in zip(group, given, strict=True)
    ]


def _abnormal(total: int, share: float) -> int:
    """As near to the share as whole cases allow, but some of both labels where there are two cases."""
    return min(max(int(total * share + 0.5), 1), max(total - 1, 1))


def _served(needed: dict[str, int], index: int) -> tuple[str, ...]:
    return tuple(task for task, count in needed.items() if index < count)


def _rotation(
    dataset: Dataset, kinds: Kinds, masks: bool
) -> tuple[list[tuple[Category, str]], list[tuple[Category, str]]]:
    """Kinds for the cases that need a mask: local ones; and for the others: global ones, if any."""
    local, others = (
        [(category, kind) for kind in _listed(dataset, kinds, category)] for category in CATEGORIES
    )
    return local, others if masks and others else [*local, *others]


def _listed(dataset: Dataset, kinds: Kinds, category: Category) -> list[str]:
    return kinds.chosen(category, dataset.population, dataset.anomalies.get(category, []))


def _voxel_tasks(challenge: Challenge) -> Sequence[str]:
    return [name for name, task in challenge.tasks.items() if task.level == "voxel"]
