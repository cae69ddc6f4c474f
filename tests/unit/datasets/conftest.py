from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from challenges.spec import Challenge, load
from datasets.anomalies.scene import Scene
from datasets.build import build
from datasets.manifest import Manifest
from datasets.plan import POPULATIONS
from datasets.populations.subject import NOTHING_UNUSUAL, Subject

CHALLENGES = Path(__file__).parents[3] / "challenges"
SECRET = b"a secret of more than sixteen bytes"
EXTENT_MM = {"brain": (179.2, 201.6, 179.2), "abdomen": (384.0, 384.0, 427.5)}


def small(challenge: Challenge, sides: int = 20) -> Challenge:
    """The challenge at a few voxels a side and two training cases."""
    datasets = {
        slug: dataset.model_copy(
            update={
                "shape": (sides, sides + 2, sides + 1),
                "spacing_mm": tuple(mm / sides for mm in EXTENT_MM[dataset.population]),
                "cases": dataset.cases.model_copy(update={"training": 2}),
            }
        )
        for slug, dataset in challenge.datasets.items()
    }
    return challenge.model_copy(update={"datasets": datasets})


def scene(population: str, seed: int = 0, sides: int = 32) -> Scene:
    """A person, a donor, and a way to draw the person again with a medical condition."""
    spacing = tuple(mm / sides for mm in EXTENT_MM[population])

    def drawn(stream: int, condition: Mapping[str, float] = NOTHING_UNUSUAL) -> Subject:
        rng = np.random.default_rng([seed, stream])
        return POPULATIONS[population].draw(rng, (sides,) * 3, spacing, condition)

    return Scene(drawn(0), drawn(1), partial(drawn, 0), population)


@dataclass(frozen=True)
class Built:
    challenge: Challenge
    out: Path
    manifests: dict[str, Manifest]


@pytest.fixture(scope="session")
def demo() -> Challenge:
    return load(CHALLENGES / "demo.yaml")


@pytest.fixture(scope="session")
def built(demo: Challenge, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Both datasets, small; tests that change files work on a copy."""
    challenge, out = small(demo), tmp_path_factory.mktemp("datasets")
    return Built(challenge, out, build(challenge, SECRET, out))
