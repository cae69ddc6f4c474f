"""Levels from bits against NumPy's own rounding, and kernels where nothing can be cached."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from scoring.kernels import voxels

SCORING = Path(voxels.__file__).parents[1]
WIDTHS: list[tuple[Any, Any]] = [(np.uint32, np.float32), (np.uint64, np.float64)]


def levels_of(bits: NDArray[Any]) -> tuple[NDArray[np.uint16], bool]:
    """By the kernel; whether it noticed something that is not finite."""
    levels = np.empty(bits.size, np.uint16)
    find = voxels.levels_of_float32 if bits.itemsize == 4 else voxels.levels_of_float64
    unsound = bool(find(bits, levels))
    return np.where(levels >= voxels.ZEROS, 0, levels).astype(np.uint16), unsound


def levels_by_numpy(bits: NDArray[Any]) -> tuple[NDArray[np.uint16], NDArray[np.bool_]]:
    """By clipping and casting; which ones are finite."""
    values = bits.view(f"f{bits.itemsize}")
    with np.errstate(invalid="ignore"):
        half = np.clip(values, 0, 1).astype(np.float16)
    return half.view(np.uint16) & 0x7FFF, np.isfinite(values)


def check(bits: NDArray[Any]) -> None:
    """Compare both on bits of which some may not be finite."""
    expected, finite = levels_by_numpy(bits)
    levels, unsound = levels_of(bits)
    assert np.array_equal(levels[finite], expected[finite])
    assert unsound is not finite.all()


@pytest.mark.parametrize(("unsigned", "floating"), WIDTHS)
def test_every_float16_and_halfway_and_their_neighbours_get_the_level_that_numpy_gives(
    unsigned: Any, floating: Any
) -> None:
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    values = np.unique(halves[np.isfinite(halves)]).astype(floating)
    halfway = (values[1:] + values[:-1]) / floating(2)
    for exact in (values, halfway, -np.zeros(1, floating)):
        check(exact.view(unsigned))
        check(np.nextafter(exact, floating(np.inf)).view(unsigned))
        check(np.nextafter(exact, floating(-np.inf)).view(unsigned))


@pytest.mark.parametrize(("unsigned", "floating"), WIDTHS)
def test_millions_of_random_bits_get_the_level_that_numpy_gives(unsigned: Any, floating: Any) -> None:
    generator = np.random.default_rng(1)
    check(generator.integers(0, np.iinfo(unsigned).max, 2_000_000, unsigned, endpoint=True))
    spread = generator.random(2_000_000) * 2.0 ** generator.integers(-30, 2, 2_000_000)
    check(spread.astype(floating).view(unsigned))


@pytest.mark.parametrize(("unsigned", "floating"), WIDTHS)
@pytest.mark.parametrize("value", [np.nan, -np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_noticed(unsigned: Any, floating: Any, value: float) -> None:
    bits = np.array([0.5, -1.0, value, -0.0, 70000.0], dtype=floating).view(unsigned)
    assert levels_of(bits)[1]
    assert not levels_of(np.delete(bits, 2))[1]


@pytest.mark.slow
def test_all_float32_between_the_smallest_level_and_one_get_the_level_that_numpy_gives() -> None:
    """Every bit pattern there. Beyond are 0 below and TOP above, with strides through both."""
    lowest, highest = (int(np.float32(value).view(np.uint32)) for value in (2.0**-26, 1.01))
    step = 1 << 22
    for start in range(lowest, highest, step):
        check(np.arange(start, start + step, dtype=np.uint32))
    for stride in (1009, 65521):
        check(np.arange(0, 1 << 32, stride, dtype=np.uint64).astype(np.uint32))


def test_kernels_run_where_no_folder_can_hold_a_cache(tmp_path: Path) -> None:
    kernels = tmp_path / "scoring" / "kernels"
    shutil.copytree(SCORING / "kernels", kernels, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "scoring" / "__init__.py").touch()
    # A file where the folder would be stops even root, whom no permission does.
    (kernels / "__pycache__").touch()
    nowhere = {"HOME": "/dev/null", "XDG_CACHE_HOME": "/dev/null", "NUMBA_CACHE_DIR": "/dev/null/cache"}
    script = (
        "import numpy as np, scoring.kernels.voxels as voxels\n"
        "counts = np.zeros(1 << 16, np.int64)\n"
        "voxels.count_codes(np.array([7, 7], np.uint16), counts)\n"
        "print(voxels.__file__, counts[7], voxels.count_codes.stats.cache_path)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path), **nowhere},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == [str(kernels / "voxels.py"), "2", "None"], done.stderr
