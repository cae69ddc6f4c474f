"""Which imported scan becomes which case: as its folder says, or as challenge and secret decide."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from challenges.spec import Analysis, Challenge, Dataset
from datasets import plan
from datasets.anomalies.kinds import TOY, Kinds
from datasets.importers.prepare import Ready
from datasets.planned import Planned
from datasets.seeds import Seeds

PARTS = ("training", "toy", "test", "analysis")


class DealError(ValueError):
    """There are not the scans that the challenge asks for; the message says how many lack."""


@dataclass(frozen=True)
class Dealt:
    """`planned` cases, whose scan each shows (by `Planned.whose`), and scans that nobody shows."""

    planned: list[Planned]
    people: Mapping[str, Ready]
    left: tuple[Ready, ...]


def as_found(challenge: Challenge, slug: str, seeds: Seeds, scans: Sequence[Ready], kind: str) -> Dealt:
    """Every scan in the part where it was found; only training scans change their order and names."""
    toys = [scan for scan in scans if scan.part == "toy"]
    others = _shuffled(seeds, slug, [scan for scan in scans if scan.part != "toy"])
    planned, people = [], {}
    for part in PARTS:
        chosen = toys if part == "toy" else [scan for scan in others if scan.part == part]
        for index, scan in enumerate(chosen):
            case = _as_found(challenge, slug, seeds, scan, index, kind)
            planned.append(case)
            people[case.whose] = scan
    planned.sort(key=lambda case: (PARTS.index(case.part), case.id if case.part == "test" else ""))
    return Dealt(planned, people, ())


def with_masks(challenge: Challenge, slug: str, seeds: Seeds, scans: Sequence[Ready], kind: str) -> Dealt:
    """Scans with a lesion become the abnormal cases, normal ones the others, training included.

    Raises:
        DealError: there are too few of either.
    """
    dataset = challenge.datasets[slug].model_copy(
        update={"anomalies": {"local": [TOY]}, "analysis": Analysis(), "variants": (), "strata": ()}
    )
    wanted = plan.cases(challenge.model_copy(update={"datasets": {slug: dataset}}), slug, seeds)
    planned = [
        replace(case, kind=kind, category="local", difficulty=None) if case.label else case for case in wanted
    ]
    people: dict[str, Ready] = {}
    left: list[Ready] = []
    for label, what in ((1, "scans with a lesion"), (0, "normal scans")):
        cases = [case for case in planned if (case.label or 0) == label]
        there = _shuffled(seeds, slug, [scan for scan in scans if scan.label == label])
        left += _given(people, cases, there, what, challenge.datasets[slug])
    return Dealt(planned, people, tuple(left))


def to_be_altered(
    challenge: Challenge, slug: str, seeds: Seeds, scans: Sequence[Ready], kinds: Kinds
) -> Dealt:
    """Normal scans become all cases; the anomalies are drawn later.

    Raises:
        DealError: there are too few.
    """
    planned = plan.cases(challenge, slug, seeds, kinds)
    people: dict[str, Ready] = {}
    left = _given(people, planned, _shuffled(seeds, slug, scans), "normal scans", challenge.datasets[slug])
    return Dealt(planned, people, tuple(left))


def _given(
    people: dict[str, Ready], cases: Sequence[Planned], scans: Sequence[Ready], what: str, dataset: Dataset
) -> list[Ready]:
    """Give each person among the cases a scan; what is left."""
    whose = list(dict.fromkeys(case.whose for case in cases))
    if len(whose) > len(scans):
        needed = ", ".join(f"{part} {_count(cases, part)}" for part in PARTS if _count(cases, part))
        raise DealError(
            f"{dataset.title}: the challenge asks for {len(whose)} {what} ({needed}), and {len(scans)} can "
            "be used; bring more, or lower `cases`, `abnormal_share` or `analysis` in its file"
        )
    people.update(zip(whose, scans, strict=False))
    return list(scans[len(whose) :])


def _count(cases: Iterable[Planned], part: str) -> int:
    return len({case.whose for case in cases if case.part == part})


def _shuffled(seeds: Seeds, slug: str, scans: Sequence[Ready]) -> list[Ready]:
    """In an order that has nothing to do with names or folders, and which only the secret knows."""
    ordered = sorted(scans, key=lambda scan: scan.digest)
    return [ordered[i] for i in seeds.generator("import", slug, "deal").permutation(len(ordered))]


def _as_found(challenge: Challenge, slug: str, seeds: Seeds, scan: Ready, index: int, kind: str) -> Planned:
    part = scan.part or "training"
    key = (challenge.id, slug, "import", part, str(index))
    names = {"training": f"{index:05d}", "toy": f"toy_{index}"}
    name = names.get(part) or seeds.name(*key, "file")
    if part == "training":
        return Planned(seeds.name(*key), part, f"{name}.nii.gz", (), None, None, None)
    tasks = tuple(task for task, about in challenge.tasks.items() if about.level in scan.levels)
    category: Literal["local", "global"] = "local" if scan.voxels else "global"
    abnormal = scan.label == 1
    return Planned(
        seeds.name(*key), part, f"{name}.nii.gz", tasks, scan.label,
        category=category if abnormal else None, kind=kind if abnormal else None,
    )  # fmt: skip
