"""What the methods learned, once for all tests of this folder."""

from pathlib import Path

import numpy as np
import pytest

from reference_methods.__main__ import main
from reference_methods.images import LEARNING
from tests.unit.reference_methods.scans import write_training


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the weights of every learning method, NAME/DATASET.npz; networks take two steps."""
    data, out = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("weights")
    write_training(data, np.random.default_rng(5))
    for name in LEARNING:
        assert main(["train", name, "--data", str(data), "--out", str(out / name), "--steps", "2"]) == 0
    return out
