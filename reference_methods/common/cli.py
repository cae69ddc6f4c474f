"""What the entry scripts call: `python3 -m reference_methods.NAME.predict TASK DATASET INPUT OUTPUT`."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from reference_methods.common import cases
from reference_methods.common.cases import Case

WEIGHTS = Path("/workspace/weights")


class Method(Protocol):
    """A trained method: a case in, scores in [0, 1] out, higher meaning more abnormal."""

    def case_score(self, case: Case) -> float:
        """The score of a whole case."""

    def voxel_scores(self, case: Case) -> NDArray[np.float32]:
        """The score of every voxel, in the shape of the case."""


def main(load: Callable[[Path], Method], arguments: Sequence[str] | None = None) -> None:
    """Predict every case of a folder by itself. `load` gets the path of the dataset's weights."""
    options = _parser().parse_args(arguments)
    method = load(options.weights / f"{options.dataset}.npz")
    for case in cases.read_all(options.input):
        if options.task == "sample":
            cases.write_score(options.output, case, method.case_score(case))
        else:
            cases.write_map(options.output, case, method.voxel_scores(case))
        print(case.path.name, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Score every scan of a folder.")
    parser.add_argument("task", choices=["sample", "pixel"], help="one score a scan, or one a voxel")
    parser.add_argument("dataset", help="which weights to use: brain or abdom")
    parser.add_argument("input", type=Path, help="folder with *.nii.gz")
    parser.add_argument("output", type=Path, help="folder for the predictions")
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="folder with DATASET.npz")
    return parser
