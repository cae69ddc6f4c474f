"""Average precision of voxel scores as they are, without rounding them to float16.

Every abnormal score is a step of the precision-recall curve, and there are few of them. So they are sorted
first, and then every voxel is placed among them: much less work than sorting all.
"""

from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from scoring.average_precision import NotFinite, UndefinedMetric, average_precision_of_counts
from scoring.kernels import exact
from scoring.masks import Mask
from scoring.nifti import CHUNK_BYTES, Layout, raw_chunks, read_layout

_MAX_BUCKETS = 1 << 18
_MIN_BUCKETS = 1 << 8
_AT_ONCE = 1 << 14
_COLLAPSED = 0.01

Scores = NDArray[np.floating[Any]]


def exact_average_precision(scores: NDArray[Any], mask: NDArray[np.bool_]) -> float:
    """Average precision of real-valued scores over all voxels; what scikit-learn computes, much sooner.

    `scores` float32 or float64 (others are converted to float64), `mask` boolean of the same shape, true
    where a voxel is abnormal. Nothing is clipped. Raises `UndefinedMetric` when no voxel is abnormal,
    `NotFinite` on NaN and infinite scores, `ValueError` on anything else.
    """
    if mask.dtype != np.bool_:
        raise ValueError(f"a mask is boolean, not {mask.dtype}")
    if scores.shape != mask.shape:
        raise ValueError(f"{scores.shape} scores do not match a mask of {mask.shape}")
    if scores.dtype.kind not in "fiub":
        raise ValueError(f"scores are real numbers, not {scores.dtype}")
    in_fortran_order = scores.flags.f_contiguous and mask.flags.f_contiguous
    flat, abnormal = (array.ravel("F" if in_fortran_order else "C") for array in (scores, mask))
    bad = sum(_not_finite(flat[start : start + _AT_ONCE]) for start in range(0, flat.size, _AT_ONCE))
    _check_finite(bad, flat.size)
    ranking = _Ranking(_float(flat[abnormal]))
    for start in range(0, flat.size, _AT_ONCE):
        ranking.add(_float(flat[start : start + _AT_ONCE]))
    return ranking.average_precision()


class ExactCounter:
    """The same of a case's NIfTI stream, which has to pass twice; raw values as nibabel scales them.

    Keeps the abnormal scores (4 or 8 bytes each) and a count for each; never the volume. Both passes raise
    what `scoring.one_pass.count_voxels` raises.
    """

    def __init__(self, mask: Mask) -> None:
        self._mask = mask
        self._ranking: _Ranking | None = None
        self._passed = False

    def first(self, stream: BinaryIO) -> None:
        """Collect the abnormal scores."""
        layout = read_layout(stream, self._mask.shape)
        edges, run, position, bad = self._mask.edges, 0, 0, 0
        room = np.empty(CHUNK_BYTES, _float_type(layout))
        taken: list[Scores] = [room[:0]]
        for raw in raw_chunks(stream, layout):
            scores = layout.scores(raw)
            bad += _not_finite(scores)
            run, count = exact.take_abnormal(scores, position, edges, run, room)
            taken.append(room[:count].copy())
            position += scores.size
        _check_finite(bad, position)
        self._ranking = _Ranking(np.concatenate(taken))

    def second(self, stream: BinaryIO) -> None:
        """Place every voxel among them."""
        if self._ranking is None or self._passed:
            raise ValueError("a stream passes twice: first, then second")
        layout = read_layout(stream, self._mask.shape)
        for raw in raw_chunks(stream, layout):
            for start in range(0, raw.size, _AT_ONCE):
                self._ranking.add(layout.scores(raw[start : start + _AT_ONCE]))
        self._passed = True

    def average_precision(self) -> float:
        """After both passes. Raises `UndefinedMetric` when no voxel is abnormal."""
        if self._ranking is None or not self._passed:
            raise ValueError("a stream passes twice: first, then second")
        return self._ranking.average_precision()


def collapse(exact: float, rounded: float, distinct: int) -> str | None:
    """What to tell a participant whose scores lose their order on the way to float16; None when they keep it.

    `exact` and `rounded` are average precisions of the scores as they are, and clipped to [0, 1] and rounded;
    `distinct` is how many different values are left.
    """
    if abs(exact - rounded) <= _COLLAPSED:
        return None
    return (
        f"scores are clipped to [0, 1] and rounded to float16, which leaves {distinct:,} different values "
        f"and an average precision of {rounded:.3f} instead of {exact:.3f}: spread them over [0, 1], and "
        "rather towards 0 than towards 1, for float16 is much finer near 0"
    )


class _Ranking:
    """Distinct abnormal scores in ascending order, and how many voxels are between them."""

    def __init__(self, abnormal: Scores) -> None:
        single = abnormal.dtype.itemsize == 4
        self._bits: type[np.unsignedinteger[Any]] = np.uint32 if single else np.uint64
        self._write_keys = exact.write_keys32 if single else exact.write_keys64
        ranked, self._positives = np.unique(self._keys(abnormal), return_counts=True)
        self._counts = np.zeros(ranked.size + 1, np.int64)
        if ranked.size:
            self._shift, self._starts, self._steps = _buckets(ranked)
            beyond = np.full(1 << self._steps, np.iinfo(self._bits).max, self._bits)
            self._ranked = np.concatenate([ranked, beyond])
        self._ranks = np.empty(_AT_ONCE, np.uint32)

    def add(self, scores: Scores) -> None:
        """Place more voxels, at most as many as fit at once."""
        if self._positives.size:
            exact.count_by_rank(
                self._keys(scores),
                self._ranked,
                self._steps,
                self._shift,
                self._starts,
                self._counts,
                self._ranks,
            )

    def average_precision(self) -> float:
        """Raises `UndefinedMetric`."""
        if not self._positives.size:
            raise UndefinedMetric("average precision needs at least one positive")
        return average_precision_of_counts(self._positives, self._counts[1:] - self._positives)

    def _keys(self, scores: Scores) -> NDArray[Any]:
        keys = np.empty(scores.size, self._bits)
        self._write_keys(np.ascontiguousarray(scores).view(self._bits), keys)
        return keys


def _buckets(ranked: NDArray[Any]) -> tuple[Any, NDArray[np.uint32], int]:
    """By how much to shift keys, where each bucket starts, and the steps of a search in the fullest one."""
    number = min(max(4 * ranked.size, _MIN_BUCKETS), _MAX_BUCKETS)
    span = int(ranked[-1] - ranked[0])
    shift = ranked.dtype.type(max(span.bit_length() - (number.bit_length() - 1), 0))
    sizes = np.bincount(((ranked - ranked[0]) >> shift).astype(np.int64))
    starts = (np.cumsum(sizes) - sizes).astype(np.uint32)
    return shift, starts, int(sizes.max()).bit_length()


def _float(scores: NDArray[Any]) -> Scores:
    native = scores.dtype.kind == "f" and scores.dtype.itemsize == 4
    return scores.astype(np.float32 if native else np.float64, copy=False)


def _float_type(layout: Layout) -> np.dtype[Any]:
    return layout.scores(np.zeros(1, layout.dtype.newbyteorder("="))).dtype


def _not_finite(scores: NDArray[Any]) -> int:
    return scores.size - int(np.count_nonzero(np.isfinite(scores)))


def _check_finite(bad: int, voxels: int) -> None:
    if bad:
        raise NotFinite(f"{bad:,} of {voxels:,} voxels are NaN or infinite")
