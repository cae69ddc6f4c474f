"""How kernels are compiled: kept in a cache where there is a place for one, and in memory otherwise."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

Kernel = TypeVar("Kernel", bound=Callable[..., object])


def kernel(function: Kernel) -> Kernel:
    """Compile at the first call, without Python's global lock.

    Numba keeps the result beside the module, else in the user's cache folder (or where NUMBA_CACHE_DIR
    says). In an installation without a writable one it raises; there, each process compiles for itself.
    """
    return compiled()(function)


def compiled(**options: Any) -> Callable[[Kernel], Kernel]:
    """`kernel` with Numba's own options besides."""

    def compile_(function: Kernel) -> Kernel:
        made: Any
        try:
            made = njit(cache=True, nogil=True, **options)(function)
        except RuntimeError:
            made = njit(nogil=True, **options)(function)
        return cast(Kernel, made)

    return compile_
