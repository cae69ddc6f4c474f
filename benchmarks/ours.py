"""Our way to the average precision of a batch, and the floor under it, ready for `measure.cost`.

What is compiled at a first call is so before the work is timed. Nothing is imported here that scoring does
not need, so that peak memory is that of scoring.
"""

import multiprocessing
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import reduce
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Barrier
from operator import add
from pathlib import Path
from typing import Any

from isal import isal_zlib

from scoring.histograms import VoxelHistogram
from scoring.inflating import inflated
from scoring.masks import Mask
from scoring.one_pass import count_voxels

_BUFFER_BYTES = 1 << 18
_WORKERS = 2
_SECONDS_OF_ONE = 2.0
_SECONDS_TO_START = 120
# What a process of the pool was given at its start: the cases, and the number of the next to be taken.
_SHARED: dict[str, Any] = {}


def batch(predictions: list[str], masks: list[str]) -> Callable[[], float]:
    """One pass over each case, and the average precision of the sum of their counts."""
    _count(predictions[0], masks[0])
    return lambda: _sum(predictions, masks).average_precision()


def one_process_over_two(predictions: list[str], masks: list[str]) -> Callable[[], float]:
    """Wall-clock time of the same in this process over that of two, which take the next case in turn.

    Each sums up what it took. One process and two take turns until the one has worked for some seconds, so
    that a disturbance meets both.

    Raises (when called): `ValueError` where one and two processes disagree.
    """
    context = multiprocessing.get_context("spawn")
    ready, following = context.Barrier(_WORKERS + 1), context.Value("i", 0)
    pool = ProcessPoolExecutor(_WORKERS, context, _start, (predictions, masks, following, ready))
    for _ in range(_WORKERS):
        pool.submit(int)
    _count(predictions[0], masks[0])
    ready.wait(_SECONDS_TO_START)

    def by_two() -> float:
        following.value = 0
        shares = [pool.submit(_sum_of_share) for _ in range(_WORKERS)]
        return reduce(add, (share.result() for share in shares)).average_precision()

    def work() -> float:
        one = two = 0.0
        while one < _SECONDS_OF_ONE:
            started = time.perf_counter()
            expected = _sum(predictions, masks).average_precision()
            turned = time.perf_counter()
            found = by_two()
            one, two = one + turned - started, two + time.perf_counter() - turned
            if found != expected:
                raise ValueError(f"one process found {expected}, two found {found}")
        return one / two

    return work


def floor(predictions: list[str]) -> Callable[[], int]:
    """Inflate the same bytes with the same library into a buffer of the same size, and forget them."""
    buffer = memoryview(bytearray(_BUFFER_BYTES))
    _inflate(predictions[0], buffer)
    return lambda: sum(_inflate(prediction, buffer) for prediction in predictions)


def beside_floor(predictions: list[str], masks: list[str]) -> Callable[[], float]:
    """Our CPU time over the floor's, case by case in turn, so that a disturbance meets both."""
    buffer = memoryview(bytearray(_BUFFER_BYTES))
    _count(predictions[0], masks[0])

    def work() -> float:
        ours = floors = 0.0
        for prediction, mask in zip(predictions, masks, strict=True):
            started = time.process_time()
            _count(prediction, mask)
            counted = time.process_time()
            _inflate(prediction, buffer)
            ours, floors = ours + counted - started, floors + time.process_time() - counted
        return ours / floors

    return work


def _count(prediction: str, mask: str) -> VoxelHistogram:
    with open(prediction, "rb") as file:
        return count_voxels(inflated(file), Mask.from_bytes(Path(mask).read_bytes())).histogram


def _sum(predictions: list[str], masks: list[str]) -> VoxelHistogram:
    return reduce(add, map(_count, predictions, masks))


def _start(predictions: list[str], masks: list[str], following: Synchronized, ready: Barrier) -> None:
    _count(predictions[0], masks[0])
    _SHARED.update(cases=list(zip(predictions, masks, strict=True)), following=following)
    ready.wait(_SECONDS_TO_START)


def _sum_of_share() -> VoxelHistogram:
    return reduce(add, (_count(*case) for case in _taken()), VoxelHistogram.absent(0, 0, "zero"))


def _taken() -> Iterator[tuple[str, str]]:
    """The next case that no process has taken, until there is none."""
    cases, following = _SHARED["cases"], _SHARED["following"]
    while True:
        with following.get_lock():
            number = following.value
            following.value += 1
        if number >= len(cases):
            return
        yield cases[number]


def _inflate(prediction: str, buffer: memoryview) -> int:
    size = 0
    with open(prediction, "rb") as file:
        # The fastest reader of the library: its GzipFile copies every byte once more.
        reader = isal_zlib._GzipReader(file, _BUFFER_BYTES)
        while count := reader.readinto(buffer):
            size += count
    return size
