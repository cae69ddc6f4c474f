"""Does a number tell the label? Permutation tests, valid for any distribution if cases are exchangeable."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
ROUNDS = 20_000
_AT_ONCE = 500
_SLACK = 1e-9
RIDGE = 1.0  # per standard deviation of a feature
FOLDS = 5


def aucs(values: Floats, labels: NDArray[np.bool_]) -> Floats:
    """The area under the ROC curve of each column of `values` (cases, features); ties count half."""
    ranks = stats.rankdata(values, axis=0)
    positives, negatives = int(labels.sum()), int((~labels).sum())
    found: Floats = (ranks[labels].sum(axis=0) - positives * (positives + 1) / 2) / (positives * negatives)
    return found


def auc_p(
    values: Floats, labels: NDArray[np.bool_], rng: np.random.Generator, rounds: int = ROUNDS
) -> tuple[Floats, Floats]:
    """AUC and two-sided permutation p of each column of `values` (cases, features).

    p = (1 + permutations at least as far from 0.5) / (1 + permutations), so it is valid at any size.
    """
    ranks = stats.rankdata(values, axis=0) - (len(values) + 1) / 2
    actual = np.abs(labels @ ranks)
    beyond = np.zeros(values.shape[1])
    for count in _chunks(rounds):
        permuted = _permuted(labels, count, rng)
        beyond += (np.abs(permuted @ ranks) >= actual - _SLACK).sum(axis=0)
    return aucs(values, labels), (1 + beyond) / (1 + rounds)


def linear_scores(values: Floats, labels: NDArray[Any], rng: np.random.Generator) -> Floats:
    """Out-of-fold scores of a ridge classifier on standardised columns; `labels` (cases,) or (cases, many).

    The folds are balanced by nothing but chance, so permuting the labels is a valid null.
    """
    return linear_smoother(values, rng) @ np.asarray(labels, dtype=np.float64)


def linear_smoother(values: Floats, rng: np.random.Generator) -> Floats:
    """The matrix (cases, cases) that turns labels into out-of-fold ridge scores."""
    count = len(values)
    deviation = values.std(axis=0)
    scaled = (values - values.mean(axis=0)) / np.where(deviation > 0, deviation, 1)
    fold = rng.permutation(count) % FOLDS
    smoother = np.zeros((count, count))
    for number in range(FOLDS):
        inside, outside = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        train = scaled[inside] - scaled[inside].mean(axis=0)
        normal = train.T @ train + RIDGE * np.eye(train.shape[1])
        weights = (scaled[outside] - scaled[inside].mean(axis=0)) @ np.linalg.solve(normal, train.T)
        smoother[np.ix_(outside, inside)] = weights - weights.mean(axis=1, keepdims=True)
    return smoother


def classifier_p(
    values: Floats, labels: NDArray[np.bool_], rng: np.random.Generator, rounds: int
) -> tuple[float, float]:
    """AUC of the out-of-fold scores of a linear classifier, and its one-sided permutation p."""
    smoother = linear_smoother(values, rng)
    actual = float(aucs((smoother @ labels)[:, None], labels)[0])
    beyond = 0
    for count in _chunks(rounds):
        permuted = _permuted(labels, count, rng)
        ranks = stats.rankdata(smoother @ permuted.T, axis=0)
        sums = (ranks * permuted.T).sum(axis=0)
        positives = int(labels.sum())
        found = (sums - positives * (positives + 1) / 2) / (positives * (len(labels) - positives))
        beyond += int((found >= actual - _SLACK).sum())
    return actual, (1 + beyond) / (1 + rounds)


def groups_p(values: Floats, groups: NDArray[Any], rng: np.random.Generator, rounds: int) -> float:
    """Permutation p that `values` (cases, columns) differ between groups: Kruskal and Wallis, chi-square.

    The statistic is the sum of squares between groups; columns are ranks, or indicators of a category.
    """
    centred = values - values.mean(axis=0)
    names, member = np.unique(groups, return_inverse=True)
    indicator = np.eye(len(names))[member] / np.sqrt(np.bincount(member))
    actual = float(np.square(indicator.T @ centred).sum())
    beyond = sum(
        float(np.square(indicator.T @ rng.permutation(centred)).sum()) >= actual * (1 - _SLACK)
        for _ in range(rounds)
    )
    return (1 + beyond) / (1 + rounds)


def holm(p: Floats) -> Floats:
    """p-values corrected by Holm's step-down method, in the order given."""
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(stepped, 1)
    return corrected


def _permuted(labels: NDArray[np.bool_], count: int, rng: np.random.Generator) -> Floats:
    """`count` permutations of the labels, (count, cases)."""
    permuted: Floats = rng.permuted(np.tile(labels.astype(np.float64), (count, 1)), axis=1)
    return permuted


def _chunks(rounds: int) -> list[int]:
    whole, rest = divmod(rounds, _AT_ONCE)
    return [_AT_ONCE] * whole + [rest] * (rest > 0)
