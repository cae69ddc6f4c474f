"""Counting voxels by their float16 level, on the bits of what a file holds.

Levels are the bit patterns of float16 from 0.0 to 1.0, which are the integers from 0 to TOP in the order of
their values. Rounding is NumPy's: to the nearest, ties to even, and once, whatever the input's precision.

A kernel looks at a chunk of a volume in file order. Where everything is exactly 0, that is all it does.
Elsewhere a first loop, which the compiler turns into vector instructions, finds the levels of some thousand
voxels, and a second one counts them.
"""

import numpy as np
from numpy.typing import NDArray

from scoring.kernels.compiled import kernel

TOP = 0x3C00
# What is 0 after rounding may be most of a volume, and adding to one bin over and over waits for itself:
# such voxels take turns in the bins from ZEROS on.
ZEROS = 0x3C40
SPREAD = 64
BINS = ZEROS + SPREAD
LEVELS_AT_ONCE = 4096

Bits32 = NDArray[np.uint32]
Bits64 = NDArray[np.uint64]
Codes = NDArray[np.uint16]
Counts = NDArray[np.int64]
Places = NDArray[np.int64]
Levels = NDArray[np.uint16]

_COARSE = 2048  # bytes
_FINE = 256


def scratch(chunk_bytes: int) -> tuple[Places, Levels]:
    """What kernels work in: places for the bounds of what is not 0 in a chunk, and for levels."""
    return np.empty(2 * (chunk_bytes // _FINE + 2), np.int64), np.empty(LEVELS_AT_ONCE, np.uint16)


@kernel
def levels_of_float32(bits: Bits32, levels: Levels) -> np.bool_:
    """The level of each score, given as uint32 bits; true when one of them is NaN or infinite.

    A level of 0 is written as ZEROS + something below SPREAD. Every step says that it stays in 32 bits: numba
    makes 64 of them otherwise, which is wrong for shifts to the left and slow for all else.
    """
    largest = np.uint32(0)
    for i in range(bits.size):
        largest = max(largest, np.uint32(bits[i] << np.uint32(1)))
        # As signed integers, the bits of floats are in the order of their values, all negative ones below 0.
        clipped = np.uint32(min(max(np.int32(bits[i]), np.int32(0)), np.int32(0x3F800000)))
        # The new exponent, and a bit less than half of the new last place: with an odd one, exactly half.
        odd = np.uint32(np.uint32(clipped >> np.uint32(13)) & np.uint32(1))
        level = np.uint32(np.uint32(np.uint32(clipped - np.uint32(0x37FFF001)) + odd) >> np.uint32(13))
        # Below 2**-14 levels are 2**-24 apart, as are float32 from 0.5 on: adding 0.5 rounds to one.
        moved = np.float32(clipped.view(np.float32) + np.float32(0.5)).view(np.uint32)
        small = np.uint32(moved - np.uint32(0x3F000000))
        level = small if clipped < np.uint32(0x38800000) else level
        turn = np.uint32(np.uint32(ZEROS) + np.uint32(np.uint32(i) & np.uint32(SPREAD - 1)))
        levels[i] = np.uint16(turn if level == np.uint32(0) else level)
    return largest >= np.uint32(0xFF000000)


@kernel
def levels_of_float64(bits: Bits64, levels: Levels) -> np.bool_:
    """As `levels_of_float32`, of uint64 bits."""
    largest = np.uint64(0)
    for i in range(bits.size):
        largest = max(largest, bits[i] << np.uint64(1))
        clipped = np.uint64(min(max(np.int64(bits[i]), np.int64(0)), np.int64(0x3FF0000000000000)))
        odd = (clipped >> np.uint64(42)) & np.uint64(1)
        level = (clipped - np.uint64(0x3EFFFE0000000001) + odd) >> np.uint64(42)
        # Here float64 from 2**28 on are 2**-24 apart.
        moved = np.float64(clipped.view(np.float64) + np.float64(268435456.0)).view(np.uint64)
        small = moved - np.uint64(0x41B0000000000000)
        level = small if clipped < np.uint64(0x3F10000000000000) else level
        turn = np.uint64(ZEROS) + (np.uint64(i) & np.uint64(SPREAD - 1))
        levels[i] = np.uint16(turn if level == np.uint64(0) else level)
    return largest >= np.uint64(0xFFE0000000000000)


@kernel
def count_float32(bits: Bits32, counts: Counts, bounds: Places, levels: Levels) -> int:
    """Add the scores with these uint32 bits to `counts` int64 (BINS,); how many are NaN or infinite."""
    bad = 0
    zeros, parts = _occupied(bits[: bits.size // 2 * 2].view(np.uint64), bounds)
    if bits.size % 2:
        bounds[2 * parts], bounds[2 * parts + 1] = (bits.size - 1) // 2, bits.size // 2 + 1
        parts += 1
    counts[0] += 2 * zeros
    for part in range(parts):
        stop = min(2 * bounds[2 * part + 1], bits.size)
        for start in range(2 * bounds[2 * part], stop, LEVELS_AT_ONCE):
            bad += _add_float32(bits[start : min(start + LEVELS_AT_ONCE, stop)], counts, levels)
    return bad


@kernel
def count_float64(bits: Bits64, counts: Counts, bounds: Places, levels: Levels) -> int:
    """As `count_float32`, of uint64 bits."""
    bad = 0
    zeros, parts = _occupied(bits, bounds)
    counts[0] += zeros
    for part in range(parts):
        stop = bounds[2 * part + 1]
        for start in range(bounds[2 * part], stop, LEVELS_AT_ONCE):
            bad += _add_float64(bits[start : min(start + LEVELS_AT_ONCE, stop)], counts, levels)
    return bad


@kernel
def count_codes(codes: Codes, counts: Counts) -> None:
    """Add uint16 codes to `counts` int64 (65536,)."""
    for i in range(codes.size):
        counts[codes[i]] += 1


@kernel
def count_abnormal_float32(
    bits: Bits32, position: int, edges: Places, run: int, counts: Counts, levels: Levels
) -> int:
    """Add the abnormal voxels of a chunk to `counts`; the run in which the next chunk starts.

    `bits` belong to the voxels from `position` on, the first of which lies in run number `run`. Runs are
    normal and abnormal in turn; `edges` int64 has where each of them starts, and where the last one ends.
    """
    while True:
        if run & 1:
            first = max(edges[run] - position, 0)
            stop = min(edges[run + 1] - position, bits.size)
            for start in range(first, stop, LEVELS_AT_ONCE):
                _add_float32(bits[start : min(start + LEVELS_AT_ONCE, stop)], counts, levels)
        if run + 2 >= edges.size or edges[run + 1] >= position + bits.size:
            return run
        run += 1


@kernel
def count_abnormal_float64(
    bits: Bits64, position: int, edges: Places, run: int, counts: Counts, levels: Levels
) -> int:
    """As `count_abnormal_float32`, of uint64 bits."""
    while True:
        if run & 1:
            first = max(edges[run] - position, 0)
            stop = min(edges[run + 1] - position, bits.size)
            for start in range(first, stop, LEVELS_AT_ONCE):
                _add_float64(bits[start : min(start + LEVELS_AT_ONCE, stop)], counts, levels)
        if run + 2 >= edges.size or edges[run + 1] >= position + bits.size:
            return run
        run += 1


@kernel
def count_abnormal_codes(codes: Codes, position: int, edges: Places, run: int, counts: Counts) -> int:
    """As `count_abnormal_float32`, of uint16 codes and counts of each."""
    while True:
        if run & 1:
            for i in range(max(edges[run] - position, 0), min(edges[run + 1] - position, codes.size)):
                counts[codes[i]] += 1
        if run + 2 >= edges.size or edges[run + 1] >= position + codes.size:
            return run
        run += 1


@kernel
def _occupied(words: Bits64, bounds: Places) -> tuple[int, int]:
    """How many of the uint64 `words` lie in stretches of zeros, and how many other stretches there are.

    The others' first and last words (exclusive) go to `bounds`. Short stretches of zeros are not looked for.
    """
    coarse, fine = _COARSE // 8, _FINE // 8
    covered, parts, zeros = 0, 0, 0
    for place in range(0, words.size // coarse * coarse, coarse):
        both = np.uint64(0)
        for i in range(_COARSE // 8):
            both |= words[place + i]
        if both == np.uint64(0):
            if covered < place:
                bounds[2 * parts], bounds[2 * parts + 1] = covered, place
                parts += 1
            covered = place + coarse
            zeros += coarse
            continue
        for near in range(place, place + coarse, fine):
            both = np.uint64(0)
            for i in range(_FINE // 8):
                both |= words[near + i]
            if both == np.uint64(0):
                if covered < near:
                    bounds[2 * parts], bounds[2 * parts + 1] = covered, near
                    parts += 1
                covered = near + fine
                zeros += fine
    if covered < words.size:
        bounds[2 * parts], bounds[2 * parts + 1] = covered, words.size
        parts += 1
    return zeros, parts


@kernel
def _add_float32(bits: Bits32, counts: Counts, levels: Levels) -> int:
    unsound = levels_of_float32(bits, levels)
    for i in range(bits.size):
        counts[levels[i]] += 1
    bad = 0
    if unsound:
        for i in range(bits.size):
            bad += int(np.uint32(bits[i] << np.uint32(1)) >= np.uint32(0xFF000000))
    return bad


@kernel
def _add_float64(bits: Bits64, counts: Counts, levels: Levels) -> int:
    unsound = levels_of_float64(bits, levels)
    for i in range(bits.size):
        counts[levels[i]] += 1
    bad = 0
    if unsound:
        for i in range(bits.size):
            bad += int((bits[i] << np.uint64(1)) >= np.uint64(0xFFE0000000000000))
    return bad
