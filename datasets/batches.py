"""Fixed batches of cases for the tasks that are scored per batch."""

from collections.abc import Sequence

import numpy as np

Batches = list[list[str]]
TRIES = 1000


def arrange(
    positives: Sequence[str], negatives: Sequence[str], size: int, count: int, rng: np.random.Generator
) -> list[Batches]:
    """`count` different ways to deal all cases into batches of `size`; the last batch may be shorter.

    Each batch holds at least one positive: one is dealt to each, then the rest at random.

    Raises:
        ValueError: there are fewer positives than batches.
    """
    arrangements: list[Batches] = []
    for _ in range(TRIES):
        if len(arrangements) == count:
            break
        batches = _deal(positives, negatives, size, rng)
        if len(batches) == 1 or _partition(batches) not in [_partition(other) for other in arrangements]:
            arrangements.append(batches)
    if len(arrangements) < count:
        raise ValueError(
            f"no {count} different arrangements of {len(positives) + len(negatives)} cases were found"
        )
    return arrangements


def _deal(positives: Sequence[str], negatives: Sequence[str], size: int, rng: np.random.Generator) -> Batches:
    total = len(positives) + len(negatives)
    sizes = [min(size, total - start) for start in range(0, total, size)]
    if len(positives) < len(sizes):
        raise ValueError(
            f"{len(positives)} abnormal cases cannot put one into each of {len(sizes)} batches; "
            "raise `abnormal_share` or `batch_size`"
        )
    first = [positives[i] for i in rng.permutation(len(positives))]
    rest = [*first[len(sizes) :], *negatives]
    rest = [rest[i] for i in rng.permutation(len(rest))]
    batches = []
    for positive, places in zip(first, sizes, strict=False):
        batch, rest = [positive, *rest[: places - 1]], rest[places - 1 :]
        batches.append([batch[i] for i in rng.permutation(places)])
    return batches


def _partition(batches: Batches) -> frozenset[frozenset[str]]:
    return frozenset(frozenset(batch) for batch in batches)
