"""Who beats whom beyond chance: pairwise one-sided tests, Holm's correction, and who cannot be told apart.

As challengeR does for publication (Wiesenfarth et al. 2021): the differences of paired values are tested in
both directions, and all the p-values of a dataset form one family.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import wilcoxon


def wilcoxon_greater(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """The p-value of Wilcoxon's signed-rank test that `a` tends to exceed `b`, both (batches,) and paired.

    Exact for up to 50 batches without ties; batches of equal values are left out, as Wilcoxon did. When all
    are equal nothing speaks for `a`: 1.0. Raises `ValueError` on values that are not finite and on shapes.
    """
    difference = _differences(a, b)
    if not difference.any():
        return 1.0
    return float(wilcoxon(difference, alternative="greater", zero_method="wilcox").pvalue)


def bootstrap_greater(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """The share of bootstraps in which `a` does not exceed `b`, both (replicates,) from the same draws.

    One is added above and below, so that no finite number of bootstraps gives 0 (Davison and Hinkley 1997,
    section 4.2). Raises as `wilcoxon_greater` does.
    """
    difference = _differences(a, b)
    return float((1 + np.count_nonzero(difference <= 0)) / (1 + difference.size))


def pairwise(
    values: NDArray[np.float64], test: Callable[[NDArray[np.float64], NDArray[np.float64]], float]
) -> NDArray[np.float64]:
    """The p-value `[a, b]` that a exceeds b, by `test` on the rows of `values` (entrants, n); diagonal 1."""
    p = np.ones((len(values), len(values)))
    for a, b in zip(*np.nonzero(~np.eye(len(values), dtype=bool)), strict=True):
        p[a, b] = test(values[a], values[b])
    return p


def holm(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Holm's step-down adjustment of the p-values off the diagonal of `p` (n, n); the diagonal becomes 1.

    The adjusted value may be compared with the level of significance directly (Holm 1979). Raises
    `ValueError` on another shape, and on p-values outside [0, 1].
    """
    if p.ndim != 2 or p.shape[0] != p.shape[1]:
        raise ValueError(f"a table of pairs is square, not {p.shape}")
    pairs = ~np.eye(len(p), dtype=bool)
    if not ((p[pairs] >= 0) & (p[pairs] <= 1)).all():
        raise ValueError("p-values lie between 0 and 1")
    adjusted = np.ones(p.shape)
    adjusted[pairs] = _step_down(p[pairs])
    return adjusted


def indistinguishable(order: Sequence[int], significant: NDArray[np.bool_]) -> list[list[int]]:
    """Neighbours on the board of whom nobody significantly beats another: all runs that cannot be longer.

    `order` lists the entrants from the first place to the last, `significant[a, b]` says that a beats b. Runs
    may overlap, and somebody told apart from both neighbours is a run alone: everybody is in at least one.
    """
    apart = significant | significant.T
    runs: list[list[int]] = []
    end = 0
    for start in range(len(order)):
        stop = start + 1
        while stop < len(order) and not apart[order[stop], list(order[start:stop])].any():
            stop += 1
        if stop > end:
            runs.append(list(order[start:stop]))
            end = stop
    return runs


def _step_down(p: NDArray[np.float64]) -> NDArray[np.float64]:
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1))
    adjusted = np.empty(p.size)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def _differences(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    if a.ndim != 1 or a.shape != b.shape or a.size == 0:
        raise ValueError(f"values of {a.shape} and {b.shape} are not paired")
    difference: NDArray[np.float64] = a - b
    if not np.isfinite(difference).all():
        raise ValueError("a value to compare is NaN or infinite")
    return difference
