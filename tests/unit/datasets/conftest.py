from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from challenges.spec import Challenge, load
from datasets.anomalies.scene import Scene
from datasets.build import build
from datasets.manifest import Manifest
from datasets.plan import POPULATIONS

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
    rng = np.random.default_rng(seed)
    spacing = tuple(mm / sides for mm in EXTENT_MM[population])
    host, donor = (POPULATIONS[population].draw(rng, (sides,) * 3, spacing) for _ in range(2))
    return Scene(host, donor)


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
