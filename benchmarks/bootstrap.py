"""A thousand bootstraps of the pixel ranking, from stored statistics to the places, on both cores.

Every bootstrap redraws all cases, so each of its batches is another one. Bootstraps chosen at random are
computed once more, by adding histograms one by one, and at small size by scikit-learn on the voxels. The
original would lay the voxels of each redrawn batch end to end and sort them: that takes months, so it is
measured on a part of one batch and multiplied. The last line is one JSON object.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from functools import reduce
from operator import add
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

# A script's own folder comes first on its path, and there a file has the name of a package of ours.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.from_stored import CORES, bootstraps
from benchmarks.measure import Cost, cost, machine
from benchmarks.one_batch import Original, original
from benchmarks.stored import Board, levels_in_use
from scoring.histograms import LEVELS, voxel_histogram
from scoring.stability import bootstrap_batches, draw

SAMPLE = 6
SMALL = 8


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return how the script ends: with 0, or with 1 where values disagree."""
    parser = argparse.ArgumentParser(description="A thousand bootstraps of the pixel ranking.")
    parser.add_argument("--quick", action="store_true", help="few and small: shows that it runs")
    quick = parser.parse_args(arguments).quick
    replicates = 20 if quick else 1000
    with tempfile.TemporaryDirectory(prefix="moodarena-benchmark-") as folder:
        board = Board(folder, *((2, 12, 5) if quick else ()))
        for line in machine(["numpy", "numba", "zstandard", "scikit-learn"]):
            print(line)
        print(f"Drawing statistics of {board.submissions} submissions × {board.cases} cases …", flush=True)
        size = board.write()
        used = levels_in_use(board.histograms(0))
        print(f"  {size / 1e6:.0f} MB stored; positives at {used:,} of {LEVELS:,} levels", flush=True)
        ours = cost(bootstraps, asdict(board), replicates, cores=CORES)
        print(f"Ours: {ours.wall_s:.1f} s, CPU {ours.cpu_s:.1f} s, {ours.peak_mb:.0f} MB", flush=True)
        differences = _difference_from_sums(board, ours.value), _difference_from_scikit_learn()
        print(f"Largest difference from sums {differences[0]:.1e}, from scikit-learn {differences[1]:.1e}")
        one = original(Path(folder), *((2, 32) if quick else (4, 256)))
    return _tell(board, replicates, ours, one, max(differences))


def _difference_from_sums(board: Board, values: list[list[float]]) -> float:
    """Of bootstraps chosen at random: from adding the histograms one by one."""
    rng = np.random.default_rng(board.seed + 1)
    draws = draw(board.labels(), len(values), np.random.default_rng(board.seed))
    largest = 0.0
    for submission in rng.choice(board.submissions, 2, replace=False):
        histograms = list(board.histograms(submission))
        for replicate in rng.choice(len(values), SAMPLE // 2, replace=False):
            cases = [histograms[case] for case in draws[replicate]]
            batches = [reduce(add, (cases[j] for j in batch)) for batch in board.arrangement(0)]
            expected = np.mean([batch.average_precision() for batch in batches])
            largest = max(largest, abs(values[replicate][submission] - expected))
    return float(largest)


def _difference_from_scikit_learn() -> float:
    """Of bootstraps chosen at random, of small volumes: from scikit-learn on the voxels laid end to end."""
    rng = np.random.default_rng(2)
    labels, batches = np.arange(20) % 2, [list(range(start, start + 5)) for start in range(0, 20, 5)]
    cases = [_small_case(bool(label), rng) for label in labels]
    draws = draw(labels, 100, rng)
    values = bootstrap_batches([voxel_histogram(*case) for case in cases], batches, draws)
    chosen = rng.choice(len(draws), SMALL, replace=False)
    return max(abs(values[one] - _by_scikit_learn(cases, batches, draws[one])) for one in chosen)


def _small_case(abnormal: bool, rng: Generator) -> tuple[NDArray[np.float16], NDArray[np.bool_]]:
    """Scores and mask, (4096,)."""
    mask = rng.random(16**3) < (0.05 if abnormal else 0)
    return rng.beta(1 + mask, 4).astype(np.float16), mask


def _by_scikit_learn(
    cases: Sequence[tuple[NDArray[np.float16], NDArray[np.bool_]]],
    batches: Sequence[Sequence[int]],
    drawn: NDArray[np.int32],
) -> float:
    scored = []
    for batch in batches:
        scores, masks = zip(*(cases[drawn[j]] for j in batch), strict=True)
        scored.append(average_precision_score(np.concatenate(masks), np.concatenate(scores)))
    return float(np.mean(scored))


def _tell(board: Board, replicates: int, ours: Cost, one: Original, difference: float) -> int:
    evaluations = board.submissions * replicates * board.cases
    theirs = one.scoring * evaluations / CORES
    print(
        f"The original, extrapolated: {one.scoring:.2f} s of CPU for a case in a batch, reading not counted, "
        f"times {evaluations:,} on {CORES} cores: {theirs / 86400:,.0f} days"
    )
    told = {
        "seconds": ours.wall_s,
        "peak_mb": ours.peak_mb,
        "original_seconds_extrapolated": theirs,
        "speedup": theirs / ours.wall_s,
        "largest_difference": difference,
    }
    print(json.dumps({key: float(f"{value:.4g}") for key, value in told.items()}))
    return 0 if difference <= 1e-12 else 1


if __name__ == "__main__":
    sys.exit(main())
