"""Bringing scans that others took into a challenge's dataset, in the form that `build` gives it.

First every scan is read, checked and kept on the challenge's grid in `.import`, one volume a process at a
time; then they are dealt to the parts and written as cases. Both go on where they stopped when typed again.
"""

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from challenges.spec import Challenge, Part
from datasets import disk, plan
from datasets.anomalies.kinds import Kinds, known
from datasets.build import Progress, assemble
from datasets.importers import deal, layouts
from datasets.importers.deal import Dealt
from datasets.importers.job import ImportJob, make_as_is
from datasets.importers.layouts import Findings, Found, Layout
from datasets.importers.prepare import How, Ready, prepare
from datasets.importers.raw import Problem
from datasets.make import make
from datasets.manifest import Manifest
from datasets.populations.registry import IMPORTED
from datasets.seeds import Seeds
from datasets.volume import write_bytes

TOLD = 20  # problems in a message; the others are in the file
PROBLEMS = "problems.txt"
SOURCES = "import.json"
COPIES = 2  # as kept until all are dealt, and as written


class ImportFailed(RuntimeError):
    """Scans could not be imported; the message names them, says why and what to do."""


@dataclass(frozen=True)
class Request:
    """What to import. `normals`: folders of normal scans beside scans with masks. `image` and `mask`: words
    in the names of both. `series`: in the description of DICOM series. `kind`: what lesions are called.
    `go_on`: leave out what cannot be used, else nothing is written.
    """

    layout: Layout
    source: Path
    how: How
    normals: tuple[Path, ...] = ()
    image: str = ""
    mask: str = ""
    series: str = ""
    kind: str = "lesion"
    go_on: bool = False


@dataclass(frozen=True)
class Imported:
    """`skipped`: what could not be used. `left`: usable scans that no case needed. `notes`: worth knowing."""

    manifest: Manifest
    skipped: list[Problem] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def import_dataset(
    challenge: Challenge,
    slug: str,
    secret: bytes,
    out: Path,
    request: Request,
    progress: Progress | None = None,
    workers: int = 1,
    private: Path | None = None,
) -> Imported:
    """Import one dataset into `out/<slug>`, or finish or repair what is there.

    `progress` and `workers` as in `build`; `private`: a folder of kinds of the organizer's own, which may be
    put into normal scans.

    Raises:
        LayoutError: the folder is not of the layout.
        ImportFailed: something cannot be used, and `go_on` is not set.
        DealError: there are not the scans that the challenge asks for.
        PlanError: the challenge says otherwise what the dataset is made of.
        DiskError: the disk has less room than the scans take.
        BuildError, CannotMake, NotVisibleError: as in `build`.
        ValueError: the secret is too short, or the cases cannot be put into batches.
    """
    kinds, seeds = known(private), Seeds(secret)
    _check(challenge, slug, request, kinds)
    found = _found(request, slug)
    folder = out / slug
    disk.check(disk.need_of_scans(out, slug, request.how.grid.shape, len(found.scans), COPIES))
    pool, told = folder / ".import", _told(progress, f"{slug}, reading")
    scans, problems = _usable(found, request.how, pool, told, workers)
    _tell(folder, problems, request.go_on)
    dealt = _dealt(challenge, slug, seeds, scans, request, kinds)
    training = tuple(dealt.people[case.whose] for case in dealt.planned if case.part == "training")
    job = ImportJob(
        challenge, slug, seeds, folder, private, pool, dealt.people, dealt.left or training,
        _about(dealt, request),
    )  # fmt: skip
    maker = make if request.layout == "normal" else make_as_is
    described = assemble(job, dealt.planned, progress, workers, maker)
    _keep_sources(folder, described, dealt, problems)
    shutil.rmtree(pool, ignore_errors=True)
    return Imported(described, problems, [scan.name for scan in dealt.left], _notes(challenge, described))


def _check(challenge: Challenge, slug: str, request: Request, kinds: Kinds) -> None:
    if request.layout != "normal":
        return
    dataset = challenge.datasets[slug]
    if dataset.population != IMPORTED:
        raise plan.PlanError(
            f"datasets.{slug}.population is {dataset.population!r}; for anomalies in imported scans write "
            f"{IMPORTED!r}, since people who were not drawn have no known tissues"
        )
    plan.check(challenge.model_copy(update={"datasets": {slug: dataset}}), kinds)


def _found(request: Request, slug: str) -> Findings:
    match request.layout:
        case "mood":
            return layouts.mood(request.source, slug)
        case "normal":
            found = layouts.normal(request.source, request.series)
        case "brats" | "isles":
            image, mask = layouts.TOKENS[request.layout]
            found = layouts.masked(request.source, request.image or image, request.mask or mask)
    for folder in request.normals:
        found.add(layouts.normal(folder, request.series))
    return found


def _usable(
    found: Findings, how: How, pool: Path, progress: Callable[[int, int], None], workers: int
) -> tuple[list[Ready], list[Problem]]:
    """What can be used, each person once, and all that can't."""
    scans: list[Ready] = []
    problems, seen = list(found.problems), dict[str, str]()
    progress(0, len(found.scans))
    for done, result in enumerate(_prepared(found.scans, how, pool, workers), 1):
        if isinstance(result, Problem):
            problems.append(result)
        elif result.digest in seen:
            same = f"shows the same voxels as {seen[result.digest]}; keep one, since nobody may occur twice"
            problems.append(Problem(result.name, same))
        else:
            seen[result.digest] = result.name
            scans.append(result)
        progress(done, len(found.scans))
    return scans, problems


def _prepared(scans: Sequence[Found], how: How, pool: Path, workers: int) -> Iterator[Ready | Problem]:
    prepared = partial(prepare, how=how, pool=pool)
    if workers <= 1 or len(scans) < 2:
        yield from map(prepared, scans)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as processes:
        yield from processes.map(prepared, scans)


def _tell(folder: Path, problems: Sequence[Problem], go_on: bool) -> None:
    """Write down what cannot be used, and stop if that was not said to be all right."""
    listed = folder / PROBLEMS
    if not problems:
        listed.unlink(missing_ok=True)
        return
    write_bytes(listed, "".join(f"{problem}\n" for problem in problems).encode())
    if not go_on:
        first = "\n".join(str(problem) for problem in problems[:TOLD])
        raise ImportFailed(
            f"{len(problems)} cannot be used; all are listed in {listed}:\n{first}\n"
            "Mend or remove them, or leave them out with --go-on"
        )


def _dealt(
    challenge: Challenge, slug: str, seeds: Seeds, scans: list[Ready], request: Request, kinds: Kinds
) -> Dealt:
    match request.layout:
        case "mood":
            return deal.as_found(challenge, slug, seeds, scans, request.kind)
        case "normal":
            return deal.to_be_altered(challenge, slug, seeds, scans, kinds)
        case "brats" | "isles":
            return deal.with_masks(challenge, slug, seeds, scans, request.kind)


def _about(dealt: Dealt, request: Request) -> tuple[str, ...]:
    """The layout, what became of grey values and grid, every scan and mask that is shown or borrowed from."""
    shown = {scan.key: scan for scan in (*dealt.people.values(), *dealt.left)}
    digests = sorted(f"{scan.digest} {scan.mask_digest}" for scan in shown.values())
    return (request.layout, request.kind, repr(request.how), *digests)


def _keep_sources(folder: Path, described: Manifest, dealt: Dealt, problems: Sequence[Problem]) -> None:
    """Which case shows which scan, for the organizer."""
    whose = {case.id: dealt.people[case.whose] for case in dealt.planned}
    kept = {
        "version": described.version,
        "scans": [
            {"case": case.id, "name": whose[case.id].name, "sha256_of_voxels": whose[case.id].digest}
            for case in described.cases
        ],
        "left": [scan.name for scan in dealt.left],
        "skipped": [{"name": problem.name, "reason": problem.reason} for problem in problems],
    }
    write_bytes(folder / SOURCES, (json.dumps(kept, indent=1) + "\n").encode())


def _notes(challenge: Challenge, described: Manifest) -> list[str]:
    """Where the numbers are not those of the challenge file, as they may be where the folders decide."""
    counts = challenge.datasets[described.dataset].cases
    there = Counter(case.part for case in described.cases)
    wanted: dict[Part, int] = {
        "training": counts.training,
        "toy": counts.toy_abnormal + counts.toy_normal,
        "test": max(counts.test.values()),
    }
    return [
        f"{described.dataset}: {there[part]} {part} cases, the challenge file says {number}"
        + ("" if there[part] else "; `challenge add` will refuse a dataset without any")
        for part, number in wanted.items()
        if there[part] != number
    ]


def _told(progress: Progress | None, what: str) -> Callable[[int, int], None]:
    return (lambda done, total: progress(what, done, total)) if progress else (lambda done, total: None)
