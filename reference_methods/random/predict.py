"""Uniform noise, the same again for the same file. Learns nothing.

Seeded by the file's content and not by its name or place in the folder, so that a case scores the same
whatever it is called and whatever lies beside it.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reference_methods.common.cases import Case
from reference_methods.common.cli import main

SEED = 2020


class Random:
    """Its average precision is the share of positives, give or take."""

    def case_score(self, case: Case) -> float:
        """Uniform in [0, 1)."""
        return float(generator_of(case).random())

    def voxel_scores(self, case: Case) -> NDArray[np.float32]:
        """Uniform in [0, 1), independent from voxel to voxel."""
        return generator_of(case).random(case.data.shape, dtype=np.float32)


def generator_of(case: Case) -> np.random.Generator:
    """A generator of the case's own."""
    return np.random.default_rng([SEED, int.from_bytes(case.digest(), "big")])


def load(_: Path) -> Random:
    """There are no weights."""
    return Random()


if __name__ == "__main__":
    main(load)
