"""A digest over what is stored of an entrant, to tell whether two reports stand on the same statistics."""

from hashlib import sha256

import numpy as np

from scoring.histograms import VoxelHistogram
from scoring.report.study import Part, Predictions

RULE = (
    "SHA-256 over every case of the part in the order of the ids: id, outcome and, line by line, the score "
    "as a hexadecimal float, or what the voxel histogram counts (level, positives, negatives of every level "
    "in use); of a case without a usable prediction the two sums, so that it holds under any missing policy."
)
SCORED = "scored"


def digest_of(part: Part, predictions: Predictions) -> str:
    """The digest of one entrant's statistics on one part, by `RULE`."""
    digest = sha256()
    for case in sorted(case.id for case in part.cases):
        outcome = predictions.outcomes.get(case, "")
        digest.update(f"{case}\n{outcome}\n".encode())
        if case in predictions.histograms:
            digest.update(_counts(predictions.histograms[case], outcome))
        elif case in predictions.scores and outcome == SCORED:
            digest.update(f"{predictions.scores[case].hex()}\n".encode())
    return digest.hexdigest()


def _counts(histogram: VoxelHistogram, outcome: str) -> bytes:
    if outcome != SCORED:
        return f"{histogram.positives.sum()} {histogram.negatives.sum()}\n".encode()
    used = np.flatnonzero(histogram.positives | histogram.negatives)
    table = np.stack([used, histogram.positives[used], histogram.negatives[used]], axis=1)
    return table.astype("<i8").tobytes() + b"\n"
