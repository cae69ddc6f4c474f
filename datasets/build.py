"""Building a challenge's datasets from its description and a secret.

    out/<dataset>/manifest.json                         hidden
    out/<dataset>/<dataset>_train/00000.nii.gz          for participants
    out/<dataset>/toy/toy_0.nii.gz                      for participants
    out/<dataset>/toy_label/<task>/toy_0.nii.gz[.txt]   for participants
    out/<dataset>/test/<opaque>.nii.gz                  seen by containers only
    out/<dataset>/test_label/<task>/<opaque>.nii.gz[.txt]   hidden

Every file is whole or absent. While a build is under way each finished case leaves a record in `.build`, so
that a build that was cut short goes on where it stopped.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from challenges.spec import Challenge
from datasets import batches, manifest, plan, volume
from datasets.anomalies.insert import Altered, alter_globally, insert_local
from datasets.anomalies.kinds import GLOBAL, LOCAL
from datasets.anomalies.scene import Scene
from datasets.finalise import finalise
from datasets.manifest import Case, File, Manifest
from datasets.populations.subject import NOTHING_UNUSUAL, Subject
from datasets.seeds import Seeds

GENERATOR = "2"  # raise it whenever the same secret gives other files
Progress = Callable[[str, int, int], None]


class BuildError(RuntimeError):
    """A dataset could not be built, or is not what its manifest says; the message says what to do."""


def build(
    challenge: Challenge, secret: bytes, out: Path, progress: Progress | None = None, workers: int = 1
) -> dict[str, Manifest]:
    """Build every dataset of the challenge below `out`, or finish or repair what is there.

    `secret` (16 bytes or more) decides everything: the same gives the same files. `progress` is called with
    dataset, cases done and cases in all. With `workers` > 1 cases are made in that many
    spawned processes, so the calling script must guard its main code with `if __name__ == "__main__"`.

    Raises:
        PlanError: the challenge names a population or kind that does not exist.
        BuildError: `out` holds another version of a dataset, or a file is not what was meant to be written.
        ValueError: the secret is too short.
    """
    plan.check(challenge)
    seeds = Seeds(secret)
    return {
        slug: _build_dataset(_Job(challenge, slug, seeds, out / slug), progress, workers)
        for slug in challenge.datasets
    }


def verify(folder: Path, described: Manifest) -> None:
    """Read every file of a dataset again: digest, size, shape, range, and masks that fit their labels.

    Raises:
        BuildError: naming the first file that is not as the manifest says.
    """
    for case in described.cases:
        for file in filter(None, (case.image, case.mask)):
            if not _is_intact(folder, file):
                raise BuildError(
                    f"{folder / file.path} is missing or damaged; run the build again to repair it"
                )
        _verify_image(folder / case.image.path, described.shape)
        if case.mask:
            _verify_mask(folder / case.mask.path, described.shape, abnormal=case.label == 1)


@dataclass(frozen=True)
class _Job:
    """One dataset of one challenge, its source of randomness and its folder; what worker processes get."""

    challenge: Challenge
    slug: str
    seeds: Seeds
    folder: Path

    def version(self) -> str:
        """Changes with the secret, the generator, and the settings that the files depend on."""
        dataset = self.challenge.datasets[self.slug].model_dump_json(exclude={"title"})
        tasks = {name: task.model_dump_json(exclude={"title"}) for name, task in self.challenge.tasks.items()}
        settings = json.dumps([self.challenge.entry.case_prediction, dataset, tasks])
        return self.seeds.name(GENERATOR, self.challenge.id, self.slug, settings)

    def generator(self, *purpose: str) -> np.random.Generator:
        return self.seeds.generator(self.challenge.id, self.slug, *purpose)


def _build_dataset(job: _Job, progress: Progress | None, workers: int) -> Manifest:
    planned = plan.cases(job.challenge, job.slug, job.seeds)
    done = _kept_cases(job, planned)
    missing = [case for case in planned if case.id not in done]
    if progress:
        progress(job.slug, len(done), len(planned))
    for case in _made(job, missing, workers):
        done[case.id] = case
        if progress:
            progress(job.slug, len(done), len(planned))
    described = _described(job, [done[case.id] for case in planned])
    _remove_strays(job, described)
    verify(job.folder, described)
    manifest.write(described, job.folder / "manifest.json")
    shutil.rmtree(job.folder / ".build", ignore_errors=True)
    return manifest.read(job.folder / "manifest.json")


def _kept_cases(job: _Job, planned: list[plan.Planned]) -> dict[str, Case]:
    """Cases that an earlier build of this very version left behind, intact."""
    wanted = {case.id for case in planned}
    records = [case for case in _recorded(job) if case.id in wanted]
    return {
        case.id: case
        for case in records
        if all(_is_intact(job.folder, file) for file in (case.image, case.mask) if file)
        and all(path.exists() for path, _ in _label_texts(job, case))
    }


def _recorded(job: _Job) -> Iterator[Case]:
    finished = job.folder / "manifest.json"
    if finished.exists():
        earlier = manifest.read(finished)
        if earlier.version != job.version():
            raise BuildError(
                f"{job.folder} holds another version of this dataset (other secret or settings); "
                "build into an empty folder, or remove this one if no score depends on it"
            )
        yield from earlier.cases
    for record in sorted((job.folder / ".build").glob(f"{job.version()}-*.json")):
        try:
            yield Case.model_validate_json(record.read_bytes())
        except ValidationError:
            record.unlink()


def _made(job: _Job, missing: list[plan.Planned], workers: int) -> Iterator[Case]:
    if workers <= 1 or len(missing) < 2:
        yield from (_make(job, case) for case in missing)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for future in as_completed([pool.submit(_make, job, case) for case in missing]):
            yield future.result()


def _make(job: _Job, case: plan.Planned) -> Case:
    """Draw, alter, finish and write one case, and leave a record of it."""
    population = plan.POPULATIONS[job.challenge.datasets[job.slug].population]
    subject = _subject(job, case, "subject")
    altered = _altered(job, case, subject)
    shown = replace(subject, foreground=altered.foreground)
    finished = finalise(population, shown, altered.image, altered.mask, job.generator(case.id, "finish"))
    if altered.mask is not None and (finished.mask is None or not finished.mask.any()):
        raise BuildError(f"datasets.{job.slug}: the mask of a {case.kind} came out empty; use larger volumes")
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
        parameters=altered.parameters,
    )
    for path, text in _label_texts(job, written):
        volume.write_bytes(path, text.encode())
    record = job.folder / ".build" / f"{job.version()}-{case.id}.json"
    volume.write_bytes(record, written.model_dump_json().encode())
    return written


def _subject(
    job: _Job, case: plan.Planned, purpose: str, condition: Mapping[str, float] = NOTHING_UNUSUAL
) -> Subject:
    dataset = job.challenge.datasets[job.slug]
    population = plan.POPULATIONS[dataset.population]
    return population.draw(job.generator(case.id, purpose), dataset.shape, dataset.spacing_mm, condition)


def _altered(job: _Job, case: plan.Planned, subject: Subject) -> Altered:
    if case.kind is None:
        return Altered(subject.image, None, subject.foreground, {})
    kind = (LOCAL if case.category == "local" else GLOBAL)[case.kind]
    population = job.challenge.datasets[job.slug].population
    donor = _subject(job, case, "donor") if kind.needs_donor else None
    scene = Scene(subject, donor, partial(_subject, job, case, "subject"), population)
    insert = insert_local if case.category == "local" else alter_globally
    return insert(kind, job.generator(case.id, "anomaly"), scene, "medium")


def _write_masks(job: _Job, case: plan.Planned, mask: NDArray[np.bool_] | None) -> File | None:
    """The same mask in the folder of each voxel task that the case serves; all zeros for a normal case."""
    shown = np.zeros(job.challenge.datasets[job.slug].shape, bool) if mask is None else mask
    files = [
        _write(job, f"{case.part}_label/{task}/{case.name}", shown.astype(np.uint8))
        for task in case.tasks
        if job.challenge.tasks[task].level == "voxel"
    ]
    return files[0] if files else None


def _label_texts(job: _Job, case: Case) -> list[tuple[Path, str]]:
    template = job.challenge.entry.case_prediction
    return [
        (job.folder / f"{case.part}_label/{task}/{template.format(case=case.name)}", f"{case.label}\n")
        for task in case.tasks
        if job.challenge.tasks[task].level == "case"
    ]


def _folder(job: _Job, case: plan.Planned) -> str:
    return f"{job.slug}_train" if case.part == "training" else case.part


def _write(job: _Job, path: str, data: NDArray[np.generic]) -> File:
    target = job.folder / path
    volume.write(target, data, job.challenge.datasets[job.slug].spacing_mm, data.dtype)
    content = target.read_bytes()
    return File(path=path, sha256=hashlib.sha256(content).hexdigest(), size=len(content))


def _described(job: _Job, made: list[Case]) -> Manifest:
    return Manifest(
        challenge=job.challenge.id,
        dataset=job.slug,
        version=job.version(),
        shape=job.challenge.datasets[job.slug].shape,
        cases=tuple(made),
        arrangements=_arrangements(job, [case for case in made if case.part == "test"]),
    )


def _arrangements(job: _Job, test: list[Case]) -> dict[str, list[list[list[str]]]]:
    arranged = {}
    for name, task in job.challenge.tasks.items():
        if task.metric.batch_size is not None:
            positives, negatives = (
                [case.id for case in test if name in case.tasks and case.label == label] for label in (1, 0)
            )
            rng = job.generator("batches", name)
            size, count = task.metric.batch_size, task.metric.arrangements
            arranged[name] = batches.arrange(positives, negatives, size, count, rng)
    return arranged


def _remove_strays(job: _Job, described: Manifest) -> None:
    """Files of an unfinished build of another version; anything not ours in name is left alone."""
    names = {case.name for case in described.cases}
    for pattern in (f"{job.slug}_train/*", "toy/*", "test/*", "toy_label/*/*", "test_label/*/*"):
        for path in job.folder.glob(pattern):
            ours = path.name.endswith((".nii.gz", ".nii.gz.txt", ".part"))
            if ours and path.name.split(".nii.gz")[0] + ".nii.gz" not in names:
                path.unlink()


def _is_intact(folder: Path, file: File) -> bool:
    path = folder / file.path
    if not path.is_file() or path.stat().st_size != file.size:
        return False
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == file.sha256


def _verify_image(path: Path, shape: tuple[int, int, int]) -> None:
    data = volume.read(path).data
    if data.shape != shape:
        raise BuildError(f"{path} has shape {data.shape}, not {shape}")
    if not np.isfinite(data).all() or data.min() < 0 or data.max() > 1 or data.min() == data.max():
        raise BuildError(f"{path} has values outside [0, 1], or one value only")


def _verify_mask(path: Path, shape: tuple[int, int, int], abnormal: bool) -> None:
    data = volume.read(path).data
    if data.shape != shape or not np.isin(data, (0, 1)).all():
        raise BuildError(f"{path} is not a mask of shape {shape} with values 0 and 1")
    if bool(data.any()) != abnormal:
        raise BuildError(f"{path}: a mask is empty for a normal case and for no other")
