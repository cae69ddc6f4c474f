"""The unaltered twins of a built dataset's cases: made again with the secret, if nothing else has changed."""

from dataclasses import dataclass
from pathlib import Path

from datasets import origin
from datasets.anomalies.private import PrivateKindError
from datasets.anomalies.scene import Floats
from datasets.finalise import finalise
from datasets.make import Job
from datasets.manifest import Case, Manifest
from datasets.origin import Origin
from datasets.planned import Planned
from datasets.seeds import Seeds


@dataclass(frozen=True)
class Source:
    """`job` makes the twins of a dataset, if they can be made; else `reason` says why not."""

    job: Job | None
    reason: str = ""


def source(folder: Path, described: Manifest, secret: bytes | None) -> Source:
    """What the twins of a dataset are made with. `folder`: of all datasets.

    Raises:
        OriginError: what the datasets were built from is damaged.
        ValueError: the secret is shorter than any build accepts.
    """
    known = origin.read(folder)
    if secret is None:
        return Source(None, "no secret was given; name it with --secret-file")
    if known is None or described.dataset not in known.challenge.datasets:
        return Source(None, f"no {origin.NAME} tells what it was built from; imported sets have none")
    return _checked(known, described, Seeds(secret), folder)


def twin(job: Job, case: Case) -> Floats:
    """The scan that the case would be without its anomaly: the same person, shift and noise."""
    variant = case.properties.get("variant")
    planned = Planned(
        case.id, case.part, case.name, case.tasks, 0, None, None,
        variant=None if variant is None else str(variant),
    )  # fmt: skip
    subject = job.subject(planned, "subject")
    rng = job.generator(planned.whose, "finish")
    return finalise(job.population, subject, subject.image, None, rng).image


def _checked(known: Origin, described: Manifest, seeds: Seeds, folder: Path) -> Source:
    slug = described.dataset
    job = Job(known.challenge, slug, seeds, folder / slug, known.anomaly_path)
    try:
        same = job.version == described.version
    except PrivateKindError as error:
        return Source(None, str(error))
    return Source(job) if same else Source(None, "it was built from another secret, or by another generator")
