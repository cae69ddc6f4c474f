"""Our average precision of scores that are not rounded to float16, ready for `measure.cost`."""

from collections.abc import Callable

from benchmarks.volumes import one_volume
from scoring.float32 import exact_average_precision


def volume(kind: str, size: int, seed: int) -> Callable[[], float]:
    """That of one float32 volume in memory."""
    scores, mask = one_volume(kind, size, seed)
    exact_average_precision(*one_volume("dense", 16, seed))
    return lambda: exact_average_precision(scores, mask)
