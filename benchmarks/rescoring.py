"""Rescoring stored submissions of the pixel task under another arrangement of the batches.

From the stored bytes of all cases to the figures of all submissions, on both cores, each over two
arrangements. The original would read all volumes again: it is measured on a part of one batch and
multiplied. The last line is one JSON object.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

# A script's own folder comes first on its path, and there a file has the name of a package of ours.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.from_stored import ARRANGEMENTS, CORES, rescored
from benchmarks.measure import Cost, cost, machine
from benchmarks.one_batch import Original, original
from benchmarks.stored import Board


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 0."""
    parser = argparse.ArgumentParser(description="Rescoring the pixel task under another arrangement.")
    parser.add_argument("--quick", action="store_true", help="few and small: shows that it runs")
    quick = parser.parse_args(arguments).quick
    with tempfile.TemporaryDirectory(prefix="moodarena-benchmark-") as folder:
        board = Board(folder, *((2, 12, 5) if quick else ()))
        for line in machine(["numpy", "zstandard", "nibabel", "scikit-learn"]):
            print(line)
        print(f"Drawing statistics of {board.submissions} submissions × {board.cases} cases …", flush=True)
        print(f"  {board.write() / 1e6:.0f} MB stored", flush=True)
        ours = cost(rescored, asdict(board), cores=CORES)
        print(f"Ours: {ours.wall_s:.2f} s, CPU {ours.cpu_s:.2f} s, {ours.peak_mb:.0f} MB", flush=True)
        one = original(Path(folder), *((2, 32) if quick else (4, 256)))
    _tell(board, ours, one)
    return 0


def _tell(board: Board, ours: Cost, one: Original) -> None:
    evaluations = board.submissions * len(ARRANGEMENTS) * board.cases
    theirs = (one.reading + one.scoring) * evaluations / CORES
    print(
        f"The original, extrapolated: {one.reading:.2f} s of CPU for reading a case and {one.scoring:.2f} s "
        f"for scoring it in a batch, times {evaluations:,} on {CORES} cores: {theirs / 3600:,.1f} hours"
    )
    told = {
        "seconds": ours.wall_s,
        "peak_mb": ours.peak_mb,
        "original_seconds_extrapolated": theirs,
        "speedup": theirs / ours.wall_s,
    }
    print(json.dumps({key: float(f"{value:.4g}") for key, value in told.items()}))


if __name__ == "__main__":
    sys.exit(main())
