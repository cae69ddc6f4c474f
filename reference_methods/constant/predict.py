"""The same score for everything: what average precision gives for no information at all. Learns nothing."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reference_methods.common.cases import Case
from reference_methods.common.cli import main

SCORE = 0.5


class Constant:
    """Its average precision is the share of positives."""

    def case_score(self, case: Case) -> float:
        """`SCORE`."""
        return SCORE

    def voxel_scores(self, case: Case) -> NDArray[np.float32]:
        """`SCORE` everywhere."""
        return np.full(case.data.shape, SCORE, dtype=np.float32)


def load(_: Path) -> Constant:
    """There are no weights."""
    return Constant()


if __name__ == "__main__":
    main(load)
