"""Labels and scores to rank, as Hypothesis draws them: ties, extremes, lone positives, every type."""

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

Ranked = tuple[NDArray[np.generic], NDArray[np.generic]]

SCORES = st.sampled_from(
    [
        st.just(0.5),
        st.sampled_from([0.0, -0.0, 0.25, 1.0]),
        st.floats(0, 1),
        st.floats(allow_nan=False, allow_infinity=False),
        st.floats(-4, 4, width=16),
        st.integers(-3, 3),
        st.booleans(),
    ]
)
LABEL_TYPES = [np.bool_, np.int8, np.uint8, np.int64, np.float32, np.float64]
SCORE_TYPES = [np.int8, np.int64, np.uint8, np.float16, np.float32, np.float64]


@st.composite
def ranked(draw: st.DrawFn, negatives: int = 0) -> Ranked:
    """Labels with at least one positive and that many negatives; scores in any type that keeps them."""
    size = draw(st.integers(1 + negatives, 60))
    positives = draw(st.one_of(st.sampled_from([1, size - negatives]), st.integers(1, size - negatives)))
    labels = np.array(draw(st.permutations(range(size)))) < positives
    scores = np.array(draw(st.lists(draw(SCORES), min_size=size, max_size=size)))
    types = [scores.dtype, *(dtype for dtype in SCORE_TYPES if _keeps(dtype, scores))]
    return labels.astype(draw(st.sampled_from(LABEL_TYPES))), scores.astype(draw(st.sampled_from(types)))


def _keeps(dtype: type[np.generic], scores: NDArray[np.generic]) -> bool:
    with np.errstate(all="ignore"):
        return np.array_equal(scores.astype(dtype).astype(scores.dtype), scores)
