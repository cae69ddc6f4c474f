"""Which slices there is something to destroy in."""

import numpy as np
from numpy.typing import NDArray

from datasets.populations.subject import Subject


def shown(subject: Subject, axis: int) -> NDArray[np.int64]:
    """The slices across the axis that show anatomy, in order.

    Raises:
        ValueError: there is none.
    """
    slices = np.flatnonzero(subject.foreground.any(axis=tuple({0, 1, 2} - {axis})))
    if slices.size == 0:
        raise ValueError("the scan has no anatomy to destroy; its shape times spacing is too small")
    return slices
