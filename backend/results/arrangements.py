"""How the cases of a task stand in batches under a scoring version."""

import zlib

import numpy as np

from backend.models.scoring import ScoringVersion
from challenges.spec import Metric
from datasets.batches import Batches, arrange
from datasets.manifest import Manifest


def draw(manifest: Manifest, task: str, metric: Metric, seed: int) -> list[Batches]:
    """Arrangements of a dataset's hidden cases, each batch with an abnormal case; the same for a seed.

    Raises:
        ValueError: there are too few abnormal cases, or too few different arrangements.
    """
    cases = manifest.cases_of("test", task)
    positives, negatives = ([case.id for case in cases if case.label == label] for label in (1, 0))
    # One generator per dataset and task, so that none depends on which others are drawn.
    rng = np.random.default_rng([seed, zlib.crc32(f"{manifest.dataset}/{task}".encode())])
    size = metric.batch_size or len(cases)
    return arrange(positives, negatives, size, metric.arrangements, rng)


def arrangements_of(
    version: ScoringVersion, manifest: Manifest, task: str, metric: Metric
) -> list[list[list[str]]]:
    """The arrangements that rank and validate: one batch of all cases where the metric knows no batches.

    Where the version has drawn its own for other cases, those of an older or newer version of the dataset,
    the same seed draws them for these.
    """
    ids = [case.id for case in manifest.cases_of("test", task)]
    if metric.over == "all_cases":
        return [[ids]]
    if not is_drawn(version, task):
        return manifest.arrangements.get(task, [[ids]])[: metric.arrangements]
    drawn = (version.arrangements or {}).get(manifest.dataset, {}).get(task)
    if drawn and {case for batch in drawn[0] for case in batch} == set(ids):
        return list(drawn)
    return draw(manifest, task, metric, version.arrangement_seed or 0)


def is_drawn(version: ScoringVersion, task: str) -> bool:
    """Whether the version has arrangements of its own for a task, instead of the manifests'."""
    return any(task in of_tasks for of_tasks in (version.arrangements or {}).values())
