"""One method, learned and asked about every case of a dataset: what it finds, and what it takes."""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from importlib import import_module
from operator import add
from pathlib import Path
from typing import Any

from datasets import manifest
from reference_methods.__main__ import TRAINERS
from reference_methods.common.cases import find, read, same
from reference_methods.common.cli import Method
from reference_methods.intensity.predict import load as intensity
from scoring.average_precision import average_precision
from scoring.histograms import voxel_histogram

DATASET = "brain"
# Settings of a method under another name.
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "vae": ("cevae", {"factor": 0.0}),
    "context_encoder": ("cevae", {"factor": 1.0}),
}
NETWORKS = ("fpi", "pii", "cevae", "cradl", *VARIANTS)
SIMPLE = ("pca", "voxel_statistics", "histogram", "intensity")


def learn_and_ask(
    name: str, seed: int, steps: int | None, device: str, data: str, folder: str
) -> Callable[[], dict[str, float]]:
    """Learn from the training scans below `data`, then score every test case for both tasks.

    Gives average precision of all voxels of the pixel cases together and of the sample cases, and CPU seconds
    of learning and of one case (its map and its score). What a network leaves behind goes to `folder`.
    """
    described = manifest.read(Path(data) / "manifest.json")

    def work() -> dict[str, float]:
        started = time.process_time()
        method = _learned(name, seed, steps, device, Path(data), Path(folder))
        learned = time.process_time()
        pixel, sample = described.cases_of("test", "pixel"), described.cases_of("test", "sample")
        histogram = reduce(add, (_counted(method, Path(data), case) for case in pixel))
        mapped = time.process_time()
        scores = [method.case_score(read(Path(data) / case.image.path)) for case in sample]
        ended = time.process_time()
        return {
            "pixel_ap": histogram.average_precision(),
            "sample_ap": average_precision([case.label for case in sample], scores),
            "train_s": learned - started,
            "case_s": (mapped - learned) / len(pixel) + (ended - mapped) / len(sample),
        }

    return work


def _learned(name: str, seed: int, steps: int | None, device: str, data: Path, folder: Path) -> Method:
    scans = find(data / f"{DATASET}_train")
    if name == "intensity":
        return intensity(folder)
    if name in TRAINERS:
        return TRAINERS[name](scans, same)
    method, changed = VARIANTS.get(name, (name, {}))
    train = import_module(f"reference_methods.{method}.train")
    settings = import_module(f"reference_methods.{method}.config").CONFIGS["small"][DATASET]
    order = train.Order(DATASET, folder, device=device, seed=seed, steps=steps)
    return train.learn(scans, same, order, replace(settings, **changed))


def _counted(method: Method, data: Path, case: manifest.Case):
    mask = read(data / case.mask.path).data > 0.5
    return voxel_histogram(method.voxel_scores(read(data / case.image.path)), mask)
