"""A digest over what is stored of an entrant, to tell whether two reports stand on the same statistics."""

from collections.abc import Mapping
from hashlib import sha256

import numpy as np

from scoring.histograms import VoxelHistogram
from scoring.report.study import Part, Predictions

RULE = (
    "SHA-256 over every case of the part in the order of the ids: id, outcome and, line by line, the score "
    "as a hexadecimal float, or what the voxel histogram counts (for positives and then for negatives the "
    "levels in use as uint16, and their counts as int64, little-endian); of a case without a usable "
    "prediction the two sums, so that it holds under any missing policy."
)
SCORED = "scored"


def digest_of(part: Part, predictions: Predictions, histograms: Mapping[str, VoxelHistogram]) -> str:
    """The digest of one entrant's statistics on one part, by `RULE`; `histograms` are decoded already."""
    digest = sha256()
    for case in sorted(case.id for case in part.cases):
        outcome = predictions.outcomes.get(case, "")
        digest.update(f"{case}\n{outcome}\n".encode())
        if case in histograms:
            digest.update(_counts(histograms[case], outcome))
        elif case in predictions.scores and outcome == SCORED:
            digest.update(f"{predictions.scores[case].hex()}\n".encode())
    return digest.hexdigest()


def _counts(histogram: VoxelHistogram, outcome: str) -> bytes:
    if outcome != SCORED:
        return f"{histogram.positives.sum()} {histogram.negatives.sum()}\n".encode()
    pieces = []
    for counts in (histogram.positives, histogram.negatives):
        used = np.flatnonzero(counts)
        pieces += [used.astype("<u2").tobytes(), counts[used].astype("<i8").tobytes()]
    return b"".join(pieces) + b"\n"
