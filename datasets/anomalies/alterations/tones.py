"""Grey values as a person's anatomy has them."""

import numpy as np

from datasets.populations.subject import Subject

SIDES = 96  # voxels a side are enough to know a quantile


def quantiles(subject: Subject, *shares: float) -> list[float]:
    """The grey values that these shares of the anatomy are darker than, from a coarse look."""
    part = tuple(slice(None, None, max(size // SIDES, 1)) for size in subject.image.shape)
    seen = subject.image[part][subject.foreground[part]]
    return [float(value) for value in np.quantile(seen, shares)]
