"""Building a challenge's datasets from its description and a secret.

    out/<dataset>/manifest.json                         hidden
    out/<dataset>/<dataset>_train/00000.nii.gz          for participants
    out/<dataset>/toy/toy_0.nii.gz                      for participants
    out/<dataset>/toy_label/<task>/toy_0.nii.gz[.txt]   for participants
    out/<dataset>/test/<opaque>.nii.gz                  seen by containers only
    out/<dataset>/test_label/<task>/<opaque>.nii.gz[.txt]   hidden
    out/<dataset>/analysis/, analysis_label/            the same, of the analysis sets
    out/built-from.json                                 the challenge as it was, hidden

Every file is whole or absent. While a build is under way each finished case leaves a record in `.build`, so
that a build that was cut short goes on where it stopped.
"""

import hashlib
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from challenges.spec import Challenge
from datasets import batches, disk, manifest, origin, plan, volume
from datasets.anomalies.kinds import known
from datasets.make import Job, label_texts, make
from datasets.manifest import Case, File, Manifest
from datasets.planned import Planned
from datasets.populations.registry import IMPORTED
from datasets.seeds import Seeds

Progress = Callable[[str, int, int], None]


class BuildError(RuntimeError):
    """A dataset could not be built, or is not what its manifest says; the message says what to do."""


def build(
    challenge: Challenge,
    secret: bytes,
    out: Path,
    progress: Progress | None = None,
    workers: int = 1,
    private: Path | None = None,
) -> dict[str, Manifest]:
    """Build every dataset of the challenge below `out`, or finish or repair what is there.

    `secret` (16 bytes or more) decides everything: the same gives the same files. `progress` is called with
    dataset, cases done and cases in all. With `workers` > 1 cases are made in that many
    spawned processes, so the calling script must guard its main code with `if __name__ == "__main__"`.
    `private`: a folder of kinds of the organizer's own, beside those that ship.

    Raises:
        PlanError: the challenge names a population or kind that does not exist.
        PrivateKindError: the private folder or a file in it cannot be used.
        StrataError: the challenge stratifies over a property that people do not have.
        DiskError: the disk has less room than the datasets take.
        BuildError: `out` holds another version of a dataset, lacks one of imported scans, or a file is not
            what was meant to be written.
        CannotMake, NotVisibleError: a case could not be made.
        ValueError: the secret is too short.
    """
    kinds = known(private)
    plan.check(challenge, kinds)
    seeds = Seeds(secret)
    disk.check(disk.need(challenge, kinds, out))
    built = {
        slug: _built(Job(challenge, slug, seeds, out / slug, private), progress, workers)
        for slug in challenge.datasets
    }
    origin.keep(out, challenge, private)
    return built


def verify(folder: Path, described: Manifest, workers: int = 1) -> None:
    """Read every file of a dataset again: digest, size, shape, range, and masks that fit their labels.

    Raises:
        BuildError: naming the first file that is not as the manifest says.
    """
    if workers <= 1:
        for case in described.cases:
            _verify_case(folder, described.shape, case)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for _ in pool.map(partial(_verify_case, folder, described.shape), described.cases, chunksize=8):
            pass


def _built(job: Job, progress: Progress | None, workers: int) -> Manifest:
    if job.dataset.population == IMPORTED:
        if not (job.folder / "manifest.json").is_file():
            raise BuildError(
                f"{job.folder} holds no imported scans; bring them with `python -m backend dataset import … "
                f"--dataset {job.slug}`, then build the rest"
            )
        return manifest.read(job.folder / "manifest.json")
    planned = plan.cases(job.challenge, job.slug, job.seeds, job.kinds)
    return assemble(job, planned, progress, workers)


def assemble(
    job: Job,
    planned: list[Planned],
    progress: Progress | None = None,
    workers: int = 1,
    maker: Callable[[Job, Planned], Case] | None = None,
) -> Manifest:
    """Make the planned cases of one dataset that are not there yet, verify all and write the manifest.

    Raises:
        BuildError: the folder holds another version, or a file is not what was meant to be written.
    """
    done = _kept_cases(job, planned)
    missing = [case for case in planned if case.id not in done]
    if progress:
        progress(job.slug, len(done), len(planned))
    for case in _made(job, missing, workers, maker or make):
        done[case.id] = case
        if progress:
            progress(job.slug, len(done), len(planned))
    described = _described(job, [done[case.id] for case in planned])
    _remove_strays(job, described)
    verify(job.folder, described, workers)
    manifest.write(described, job.folder / "manifest.json")
    shutil.rmtree(job.folder / ".build", ignore_errors=True)
    return manifest.read(job.folder / "manifest.json")


def _kept_cases(job: Job, planned: list[Planned]) -> dict[str, Case]:
    """Cases that an earlier build of this very version left behind, intact."""
    wanted = {case.id for case in planned}
    records = [case for case in _recorded(job) if case.id in wanted]
    return {
        case.id: case
        for case in records
        if all(_is_intact(job.folder, file) for file in (case.image, case.mask) if file)
        and all(path.exists() for path, _ in label_texts(job, case))
    }


def _recorded(job: Job) -> Iterator[Case]:
    finished = job.folder / "manifest.json"
    if finished.exists():
        earlier = manifest.read(finished)
        if earlier.version != job.version:
            raise BuildError(
                f"{job.folder} holds another version of this dataset (other secret or settings); "
                "build into an empty folder, or remove this one if no score depends on it"
            )
        yield from earlier.cases
    for record in sorted((job.folder / ".build").glob(f"{job.version}-*.json")):
        try:
            yield Case.model_validate_json(record.read_bytes())
        except ValidationError:
            record.unlink()


def _made(
    job: Job, missing: list[Planned], workers: int, maker: Callable[[Job, Planned], Case]
) -> Iterator[Case]:
    if workers <= 1 or len(missing) < 2:
        yield from (maker(job, case) for case in missing)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for future in as_completed([pool.submit(maker, job, case) for case in missing]):
            yield future.result()


def _described(job: Job, made: list[Case]) -> Manifest:
    return Manifest(
        challenge=job.challenge.id,
        dataset=job.slug,
        version=job.version,
        shape=job.dataset.shape,
        cases=tuple(made),
        arrangements=_arrangements(job, [case for case in made if case.part == "test"]),
    )


def _arrangements(job: Job, test: list[Case]) -> dict[str, list[list[list[str]]]]:
    arranged = {}
    for name, task in job.challenge.tasks.items():
        if task.metric.batch_size is not None:
            positives, negatives = (
                [case.id for case in test if name in case.tasks and case.label == label] for label in (1, 0)
            )
            if not (positives or negatives):  # imported without test cases
                continue
            rng = job.generator("batches", name)
            size, count = task.metric.batch_size, task.metric.arrangements
            arranged[name] = batches.arrange(positives, negatives, size, count, rng)
    return arranged


def _remove_strays(job: Job, described: Manifest) -> None:
    """Files of an unfinished build of another version; anything not ours in name is left alone."""
    names = {case.name for case in described.cases}
    hidden = [f"{part}{below}" for part in ("toy", "test", "analysis") for below in ("/*", "_label/*/*")]
    for pattern in (f"{job.slug}_train/*", *hidden):
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


def _verify_case(folder: Path, shape: tuple[int, int, int], case: Case) -> None:
    for file in filter(None, (case.image, case.mask)):
        if not _is_intact(folder, file):
            raise BuildError(f"{folder / file.path} is missing or damaged; run the build again to repair it")
    _verify_image(folder / case.image.path, shape)
    if case.mask:
        _verify_mask(folder / case.mask.path, shape, abnormal=case.label == 1)


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
