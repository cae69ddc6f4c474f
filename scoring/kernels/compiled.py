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
    compiled: Any
    try:
        compiled = njit(cache=True, nogil=True)(function)
    except RuntimeError:
        compiled = njit(nogil=True)(function)
    return cast(Kernel, compiled)
