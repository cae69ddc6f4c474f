"""The brighter, the more abnormal: a voxel scores its value, a case their mean. Learns nothing."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reference_methods.common.cases import Case
from reference_methods.common.cli import main


class Intensity:
    """Scans of the challenge have values in [0, 1]; whatever is outside is clipped."""

    def case_score(self, case: Case) -> float:
        """Mean value."""
        return float(np.clip(case.data, 0, 1).mean(dtype=np.float64))

    def voxel_scores(self, case: Case) -> NDArray[np.float32]:
        """The values themselves."""
        return np.clip(case.data, 0, 1)


def load(_: Path) -> Intensity:
    """There are no weights."""
    return Intensity()


if __name__ == "__main__":
    main(load)
