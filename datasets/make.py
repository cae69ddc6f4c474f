"""Making one case: draw a person, alter them, finish the scan, write image, mask and labels.

Everything follows from the case's name and the secret, so cases can be made in any order and in any process.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from challenges.spec import Challenge, Dataset
from datasets import volume
from datasets.anomalies.insert import Altered, alter_globally, insert_local
from datasets.anomalies.kinds import Kinds, known
from datasets.anomalies.scene import CATEGORIES, Scene, place
from datasets.anomalies.toys.sphere import Sphere
from datasets.finalise import Finished, finalise
from datasets.manifest import Case, File
from datasets.planned import Ball, Planned
from datasets.populations.registry import POPULATIONS
from datasets.populations.subject import NOTHING_UNUSUAL, Population, Subject
from datasets.seeds import Seeds

GENERATOR = "5"  # raise it whenever the same secret gives other files


class CannotMake(RuntimeError):
    """A case could not be made; the message says what to change."""


@dataclass(frozen=True)
class Job:
    """One dataset of one challenge, its source of randomness and its folder; what worker processes get.

    `private`: the folder of the organizer's own kinds, if any.
    """

    challenge: Challenge
    slug: str
    seeds: Seeds
    folder: Path
    private: Path | None = None

    @property
    def dataset(self) -> Dataset:
        return self.challenge.datasets[self.slug]

    @property
    def kinds(self) -> Kinds:
        return known(self.private)

    @property
    def population(self) -> Population:
        """Whose scans they are."""
        return POPULATIONS[self.dataset.population]

    @property
    def drawn_from(self) -> str:
        """The name of the population as kinds know it."""
        return self.dataset.population

    def subject(
        self, case: Planned, purpose: str, condition: Mapping[str, float] = NOTHING_UNUSUAL
    ) -> Subject:
        """The person of a case (purpose "subject"), or the other one that a kind borrows from ("donor")."""
        dataset, rng = self.dataset, self.generator(case.whose, purpose)
        return self.population.draw(rng, dataset.shape, dataset.spacing_mm, condition, case.variant)

    @cached_property
    def version(self) -> str:
        """Changes with the secret, the generator, and the settings that the files depend on."""
        return self.seeds.name(GENERATOR, self.challenge.id, self.slug, json.dumps(self.settings()))

    def settings(self) -> list[Any]:
        """All that decides, beside the secret and the generator, what the files are."""
        listed = [
            self.kinds.chosen(category, self.dataset.population, self.dataset.anomalies.get(category, []))
            for category in CATEGORIES
        ]
        tasks = {name: task.model_dump_json(exclude={"title"}) for name, task in self.challenge.tasks.items()}
        dataset = self.dataset.model_dump_json(exclude={"title", "anomalies"})
        return [self.challenge.entry.case_prediction, dataset, tasks, listed, self.kinds.digest]

    def generator(self, *purpose: str) -> np.random.Generator:
        return self.seeds.generator(self.challenge.id, self.slug, *purpose)

    def record(self, case: str) -> Path:
        """Where a finished case is written down while the build goes on."""
        return self.folder / ".build" / f"{self.version}-{case}.json"


def make(job: Job, case: Planned) -> Case:
    """Make one case, write its files and leave a record of it.

    Raises:
        CannotMake: the mask came out empty.
        NotVisibleError: no draw of the kind could be seen.
    """
    subject = job.subject(case, "subject")
    altered = _altered(job, case, subject)
    shown = replace(subject, foreground=altered.foreground)
    rng = job.generator(case.whose, "finish")
    finished = finalise(job.population, shown, altered.image, altered.mask, rng)
    if altered.mask is not None and (finished.mask is None or not finished.mask.any()):
        raise CannotMake(f"datasets.{job.slug}: the mask of a {case.kind} came out empty; use larger volumes")
    return write(job, case, finished, altered.parameters, subject.properties)


def write(
    job: Job,
    case: Planned,
    finished: Finished,
    parameters: dict[str, Any],
    properties: Mapping[str, float | str],
) -> Case:
    """Write the files of a case and a record of it."""
    written = Case(
        id=case.id,
        part=case.part,
        name=case.name,
        tasks=case.tasks,
        label=case.label,
        image=_write(job, f"{_folder(job, case)}/{case.name}", finished.image),
        mask=_write_masks(job, case, finished.mask),
        kind=case.kind,
        category=case.category,
        parameters=parameters,
        analysis=case.analysis,
        properties=_properties(properties, case),
    )
    for path, text in label_texts(job, written):
        volume.write_bytes(path, text.encode())
    volume.write_bytes(job.record(case.id), written.model_dump_json().encode())
    return written


def twin(job: Job, case: Planned) -> Finished:
    """The scan that the case would be without its anomaly: the same person, shift and noise. No files."""
    subject = job.subject(case, "subject")
    rng = job.generator(case.whose, "finish")
    return finalise(job.population, subject, subject.image, None, rng)


def label_texts(job: Job, case: Case) -> list[tuple[Path, str]]:
    """The label files of the tasks with one score per case, and what stands in them."""
    template = job.challenge.entry.case_prediction
    return [
        (job.folder / f"{case.part}_label/{task}/{template.format(case=case.name)}", f"{case.label}\n")
        for task in case.tasks
        if job.challenge.tasks[task].level == "case"
    ]


def _properties(properties: Mapping[str, float | str], case: Planned) -> dict[str, float | str]:
    known_of = {
        name: value if isinstance(value, str) else round(float(value), 6)
        for name, value in properties.items()
    }
    return known_of | ({"variant": case.variant} if case.variant else {})


def _altered(job: Job, case: Planned, subject: Subject) -> Altered:
    if case.ball is not None:
        return _with_ball(job, case, case.ball, subject)
    if case.kind is None or case.category is None or case.difficulty is None:
        return Altered(subject.image, None, subject.foreground, {})
    kind = job.kinds.of(case.category)[case.kind]
    donor = job.subject(case, "donor") if kind.needs_donor else None
    scene = Scene(subject, donor, partial(job.subject, case, "subject"), job.drawn_from)
    insert = insert_local if case.category == "local" else alter_globally
    return insert(kind, job.generator(case.whose, "anomaly"), scene, case.difficulty)


def _with_ball(job: Job, case: Planned, ball: Ball, subject: Subject) -> Altered:
    """A step of a series, visible or not: its mask is the ball itself."""
    centre = place(job.generator(case.whose, "anomaly"), subject.foreground, min(subject.image.shape) // 8)
    sphere = Sphere(centre, ball.radius, ball.intensity)
    if not ball.radius:
        return Altered(subject.image, None, subject.foreground, asdict(sphere))
    mask = sphere.mask(subject.image.shape)
    if subject.stripped:
        mask &= subject.foreground
    image = np.where(mask, np.float32(ball.intensity), subject.image)
    return Altered(image, mask, subject.foreground, asdict(sphere) | {"voxels": int(mask.sum())})


def _write_masks(job: Job, case: Planned, mask: NDArray[np.bool_] | None) -> File | None:
    """The same mask in the folder of each voxel task that the case serves; all zeros for a normal case."""
    shown = np.zeros(job.dataset.shape, bool) if mask is None else mask
    files = [
        _write(job, f"{case.part}_label/{task}/{case.name}", shown.astype(np.uint8))
        for task in case.tasks
        if job.challenge.tasks[task].level == "voxel"
    ]
    return files[0] if files else None


def _folder(job: Job, case: Planned) -> str:
    return f"{job.slug}_train" if case.part == "training" else case.part


def _write(job: Job, path: str, data: NDArray[np.generic]) -> File:
    target = job.folder / path
    spacing = job.dataset.spacing_mm
    if data.dtype == np.float32:
        volume.write_scan(target, data.astype(np.float32, copy=False), spacing)
    else:
        volume.write(target, data, spacing, data.dtype)
    content = target.read_bytes()
    return File(path=path, sha256=hashlib.sha256(content).hexdigest(), size=len(content))
