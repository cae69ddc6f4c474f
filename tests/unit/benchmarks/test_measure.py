"""What measuring measures: CPU time and memory of the work alone, in a process of its own."""

import os
import time
from collections.abc import Callable

import pytest

from benchmarks.measure import Cost, cost, median_of, spread


def burning(seconds: float) -> Callable[[], int]:
    """Work that needs the CPU for some time, after a preparation that needs it for much longer."""
    _burn(5 * seconds)
    return lambda: _burn(seconds)


def filling(megabytes: int) -> Callable[[], int]:
    return lambda: len(bytearray(os.urandom(1 << 20) * megabytes))


def cores() -> Callable[[], int]:
    return lambda: len(os.sched_getaffinity(0))


def failing() -> Callable[[], None]:
    raise ArithmeticError("no such figure")


def _burn(seconds: float) -> int:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass
    return 7


def test_the_work_is_timed_and_its_preparation_is_not():
    measured = cost(burning, 0.1)
    assert measured.value == 7
    assert measured.cpu_s == pytest.approx(0.1, abs=0.05)
    assert measured.wall_s >= measured.cpu_s - 0.01


def test_memory_of_the_parent_is_not_counted_and_that_of_the_child_is():
    ballast = os.urandom(1 << 20) * 300
    small, large = cost(filling, 1), cost(filling, 100)
    assert len(ballast) > 3e8
    assert small.peak_mb < 100
    assert large.peak_mb > small.peak_mb + 95


def test_a_process_stays_on_the_cores_it_was_given():
    assert cost(cores).value == 1
    assert cost(cores, cores=None).value == len(os.sched_getaffinity(0))


def test_a_failure_is_told_with_its_reason():
    with pytest.raises(RuntimeError, match="no such figure"):
        cost(failing)


def test_medians_are_of_each_figure_and_repeats_must_agree():
    costs = [Cost(0.5, 3, 5, 100), Cost(0.5, 1, 9, 102), Cost(0.5, 2, 7, 101)]
    assert median_of(costs) == Cost(0.5, 2, 7, 101)
    assert spread(costs) == 1.0
    with pytest.raises(ValueError, match="different values"):
        median_of([*costs, Cost(0.4, 1, 1, 1)])
