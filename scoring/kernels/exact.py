"""Placing every voxel of a volume among the scores of its abnormal ones, which are few.

Floats are compared by keys: integers in the order of their values, equal for 0.0 and -0.0.
"""

import numpy as np
from numpy.typing import NDArray

from scoring.kernels.compiled import kernel

Keys = NDArray[np.uint32] | NDArray[np.uint64]
Counts = NDArray[np.int64]
Places = NDArray[np.int64]
Ranks = NDArray[np.uint32]
Floats = NDArray[np.float32] | NDArray[np.float64]


@kernel
def write_keys32(bits: NDArray[np.uint32], keys: NDArray[np.uint32]) -> None:
    """The keys of the float32 that have these bits."""
    sign = np.uint32(1 << 31)
    for i in range(bits.size):
        word = np.uint32(0) if bits[i] == sign else bits[i]
        keys[i] = ~word if word >= sign else word | sign


@kernel
def write_keys64(bits: NDArray[np.uint64], keys: NDArray[np.uint64]) -> None:
    """The keys of the float64 that have these bits."""
    sign = np.uint64(1 << 63)
    for i in range(bits.size):
        word = np.uint64(0) if bits[i] == sign else bits[i]
        keys[i] = ~word if word >= sign else word | sign


@kernel
def count_by_rank(
    keys: Keys,
    ranked: Keys,
    steps: int,
    shift: np.unsignedinteger,
    starts: Ranks,
    counts: Counts,
    ranks: Ranks,
) -> None:
    """Add each key to `counts` at the number of `ranked` keys that are at most as large. Overwrites `keys`.

    `ranked` ascend, each is there once, and they fall into buckets by (key - lowest) >> `shift`, of which
    `starts` has the first one's index. No bucket has 2**`steps` of them or more. Behind the last one are as
    many more that are larger than any key. `ranks` is room for as many as there are keys.

    All indices are unsigned: numba then need not look whether they count from the end.
    """
    lowest, last = ranked[0], np.uint64(starts.size - 1)
    # Background is often the lowest score of all, or below it: no search for that.
    left, below = 0, 0
    for i in range(keys.size):
        key = keys[i]
        keys[left] = key
        left += key > lowest
        below += key < lowest
    counts[0] += below
    counts[1] += keys.size - left - below
    for i in range(left):
        ranks[i] = starts[min(np.uint64((keys[i] - lowest) >> shift), last)]
    # A binary search without branches, one step for all keys at a time.
    width = np.uint32(1) << np.uint32(steps)
    for _ in range(steps):
        width >>= np.uint32(1)
        for i in range(left):
            rank = ranks[i]
            at_most = ranked[np.uint64(rank + width - np.uint32(1))] <= keys[i]
            ranks[i] = rank + width if at_most else rank
    for i in range(left):
        counts[ranks[i]] += 1


@kernel
def take_abnormal(values: Floats, position: int, edges: Places, run: int, taken: Floats) -> tuple[int, int]:
    """Copy a chunk's abnormal values to `taken`: the run in which the next chunk starts, and how many.

    Arguments as of `scoring.kernels.voxels.count_abnormal_float32`.
    """
    count = 0
    while True:
        if run & 1:
            for i in range(max(edges[run] - position, 0), min(edges[run + 1] - position, values.size)):
                taken[count] = values[i]
                count += 1
        if run + 2 >= edges.size or edges[run + 1] >= position + values.size:
            return run, count
        run += 1
