"""scikit-learn in the same places, ready for `measure.cost`: as the original evaluator, and by itself."""

from collections.abc import Callable

from sklearn.metrics import average_precision_score

from benchmarks import original
from benchmarks.volumes import one_volume


def batch(predictions: list[str], labels: list[str]) -> Callable[[], float]:
    """nibabel and scikit-learn, as the challenge's evaluator used them."""
    average_precision_score([0, 1], [0.0, 1.0])
    return lambda: original.average_precision_of_batch(predictions, labels)


def volume(kind: str, size: int, seed: int) -> Callable[[], float]:
    """The average precision of one float32 volume in memory."""
    scores, mask = one_volume(kind, size, seed)
    average_precision_score([0, 1], [0.0, 1.0])
    return lambda: float(average_precision_score(mask.ravel(), scores.ravel()))
