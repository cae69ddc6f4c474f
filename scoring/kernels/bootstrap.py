"""The compiled loops of the pixel bootstrap: batches of redrawn cases, from the highest level down.

Levels come in blocks small enough that the counts of all cases at a block's levels stay in the cache while
every batch of every bootstrap passes over them.
"""

import numpy as np
from numpy.typing import NDArray

from scoring.kernels.compiled import kernel


@kernel
def average_precisions(
    positives: NDArray[np.unsignedinteger],
    negatives: NDArray[np.unsignedinteger],
    draws: NDArray[np.int32],
    members: NDArray[np.int64],
    starts: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Average precision of each batch of each bootstrap, (replicates, batches); NaN without a positive.

    `positives` and `negatives` (blocks, cases, levels of a block: a power of two), highest level first, of an
    unsigned type that holds the sum over a batch; `draws` (replicates, cases); batch b has the cases
    `members[starts[b]:starts[b + 1]]`. Indices are not checked here.
    """
    blocks, cases, width = positives.shape
    shape = (draws.shape[0], starts.size - 1)
    found, called = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    areas = np.zeros(shape, dtype=np.float64)
    hits, misses = np.empty(width, dtype=positives.dtype), np.empty(width, dtype=negatives.dtype)
    share = np.empty((2, width), dtype=np.float64)
    everyone = np.ones(cases, dtype=np.bool_)
    for block in range(blocks):
        # Normal cases have no positive at all, and few cases have one among the highest scores.
        hit = _any_count(positives[block])
        for replicate in range(shape[0]):
            for batch in range(shape[1]):
                drawn = draws[replicate][members[starts[batch] : starts[batch + 1]]]
                _add_rows(misses, negatives[block], drawn, everyone)
                _add_rows(hits, positives[block], drawn, hit)
                found[replicate, batch], called[replicate, batch], area = _advance(
                    hits, misses, found[replicate, batch], called[replicate, batch], share
                )
                areas[replicate, batch] += area
    return np.where(found > 0, areas / np.maximum(found, 1), np.nan)


@kernel
def _any_count(counts: NDArray[np.unsignedinteger]) -> NDArray[np.bool_]:
    """Which rows have a count above 0."""
    found = np.zeros(counts.shape[0], dtype=np.bool_)
    for row in range(counts.shape[0]):
        found[row] = counts[row].any()
    return found


@kernel
def _add_rows(
    total: NDArray[np.unsignedinteger],
    counts: NDArray[np.unsignedinteger],
    rows: NDArray[np.int32],
    wanted: NDArray[np.bool_],
) -> None:
    """The sum of the wanted ones among `rows` of `counts` into `total`; a row named twice counts twice."""
    total[:] = 0
    for row in rows:
        if wanted[row]:
            for level in range(total.size):
                total[level] += counts[row, level]


@kernel
def _advance(
    hits: NDArray[np.unsignedinteger],
    misses: NDArray[np.unsignedinteger],
    found: np.int64,
    called: np.int64,
    share: NDArray[np.float64],
) -> tuple[np.int64, np.int64, np.float64]:
    """One block further: positives and voxels called so far, and the block's sum of hits times precision.

    `share` (2, levels of a block) is scratch space.
    """
    for level in range(hits.size):
        found += np.int64(hits[level])
        called += np.int64(hits[level]) + np.int64(misses[level])
        share[0, level] = found
        share[1, level] = called
    for level in range(hits.size):
        # Where nothing is called yet there is no hit either: any divisor but 0 will do.
        share[0, level] *= hits[level] / max(share[1, level], 1.0)
    return found, called, _halved(share[0])


@kernel
def _halved(terms: NDArray[np.float64]) -> np.float64:
    """The sum of `terms`, a power of two of them, by adding halves: in one order whatever the processor."""
    size = terms.size
    while size > 1:
        size //= 2
        for term in range(size):
            terms[term] += terms[term + size]
    total: np.float64 = terms[0]
    return total
