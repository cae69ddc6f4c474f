"""What we do with stored statistics: bootstraps of the ranking, and figures under other arrangements."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from benchmarks.stored import Board
from scoring.aggregate import mean_over_batches
from scoring.histograms import VoxelHistogram
from scoring.stability import bootstrap_batches, bootstrap_entrants, draw, stability

CORES = 2
ARRANGEMENTS = 1, 2
"""Numbers of those scored anew; 0 was the one before."""


def bootstraps(board: dict[str, Any], replicates: int) -> Callable[[], list[list[float]]]:
    """The values of all bootstraps, (replicates, submissions), after all was said about the places too."""
    stored = Board(**board)
    labels, batches = stored.labels(), stored.arrangement(0)
    few = [VoxelHistogram.absent(1, 1, "zero")] * stored.cases
    bootstrap_batches(few, batches, draw(labels, 1, np.random.default_rng(0)))  # compiles

    def work() -> list[list[float]]:
        draws = draw(labels, replicates, np.random.default_rng(stored.seed))
        entrants = [stored.histograms(submission) for submission in range(stored.submissions)]
        found = stability({"board": bootstrap_entrants(entrants, batches, draws, CORES)})
        found.interval()
        found.shares()
        found.tau(range(stored.submissions))
        return found.values["board"].tolist()

    return work


def rescored(board: dict[str, Any]) -> Callable[[], list[list[float]]]:
    """The figures under each arrangement, (submissions, arrangements)."""
    stored = Board(**board)
    arrangements = [
        [[str(case) for case in batch] for batch in stored.arrangement(number)] for number in ARRANGEMENTS
    ]

    def one(submission: int) -> list[float]:
        histograms = {str(case): found for case, found in enumerate(stored.histograms(submission))}
        return [mean_over_batches(histograms, batches) for batches in arrangements]

    def work() -> list[list[float]]:
        with ThreadPoolExecutor(CORES) as pool:
            return list(pool.map(one, range(stored.submissions)))

    return work
