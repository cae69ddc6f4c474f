"""A case scored in one pass over its stream, in memory that does not grow with the volume.

Raw voxels go straight from a small buffer into a compiled kernel that counts them by float16 level, first
all of them, then those of the abnormal runs; the normal ones are the difference.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from scoring.average_precision import NotFinite
from scoring.histograms import LEVELS, VoxelHistogram, level_of, levels_of
from scoring.kernels import voxels
from scoring.masks import Mask
from scoring.nifti import CHUNK_BYTES, Layout, raw_chunks, read_layout
from scoring.objects import ObjectCounts, ObjectRule, count_objects

_CODES = 1 << 16


@dataclass(frozen=True)
class VoxelCount:
    """What is known of a case once its stream has passed.

    `distinct` is how many float16 levels are in use. `view` is a uint8 copy in Fortran order, [0, 1] as 0 to
    255; None unless asked for. `objects` are found, false and overlooked ones by threshold, empty unless
    asked for.
    """

    histogram: VoxelHistogram
    distinct: int
    view: NDArray[np.uint8] | None = None
    objects: dict[float, ObjectCounts] = field(default_factory=dict)


def count_voxels(
    stream: BinaryIO,
    mask: Mask,
    *,
    thresholds: Sequence[float] = (),
    objects: ObjectRule | None = None,
    view: bool = False,
) -> VoxelCount:
    """Count the voxels of an uncompressed NIfTI stream by score and label.

    With a rule for objects, those of voxels whose float16 score is at least a threshold are counted for each
    of the `thresholds`. That takes a bit a voxel and threshold while the stream passes, then two volumes of
    one byte a voxel, and what `count_objects` needs. A view takes a byte a voxel. Without either, memory does
    not depend on the volume.

    Raises `Unreadable` and `WrongShape` with a text for the file's author, `NotFinite` with how many voxels
    are, and whatever the stream raises.
    """
    layout = read_layout(stream, mask.shape)
    counter = _counter(layout, mask)
    picture = _Picture(layout, mask) if view else None
    cuts = [_Cut(threshold, layout, mask) for threshold in (thresholds if objects else ())]
    for chunk in raw_chunks(stream, layout):
        counter.add(chunk)
        for extra in (picture, *cuts):
            if extra is not None:
                extra.add(chunk)
    histogram = counter.histogram()
    return VoxelCount(
        histogram,
        int(np.count_nonzero(histogram.positives + histogram.negatives)),
        picture.array() if picture else None,
        _objects(cuts, mask, objects) if objects and cuts else {},
    )


def _counter(layout: Layout, mask: Mask) -> "_Floats | _Codes | _Scaled":
    if layout.dtype.kind != "f" and layout.dtype.itemsize <= 2:
        return _Codes(layout, mask)
    return _Floats(mask, layout.dtype.itemsize) if layout.is_plain_float else _Scaled(layout, mask)


class _Floats:
    """Counts float32 or float64 voxels."""

    def __init__(self, mask: Mask, itemsize: int) -> None:
        single = itemsize == 4
        self._bits: type[np.unsignedinteger[Any]] = np.uint32 if single else np.uint64
        self._all = voxels.count_float32 if single else voxels.count_float64
        self._abnormal = voxels.count_abnormal_float32 if single else voxels.count_abnormal_float64
        self._total = np.zeros(voxels.BINS, np.int64)
        self._positive = np.zeros(voxels.BINS, np.int64)
        # Twice a chunk: scaled float32 come as float64.
        self._bounds, self._levels = voxels.scratch(2 * CHUNK_BYTES)
        self._edges, self._run, self._position, self._bad = mask.edges, 0, 0, 0

    def add(self, scores: NDArray[np.floating[Any]]) -> None:
        """Count the next voxels in file order."""
        bits = scores.view(self._bits)
        self._bad += self._all(bits, self._total, self._bounds, self._levels)
        self._run = self._abnormal(bits, self._position, self._edges, self._run, self._positive, self._levels)
        self._position += bits.size

    def histogram(self) -> VoxelHistogram:
        """Raises `NotFinite`."""
        _check_finite(self._bad, self._position)
        positives = _folded(self._positive)
        return VoxelHistogram(positives, _folded(self._total) - positives)


class _Scaled(_Floats):
    """Counts voxels that become floats first: wide integers and scaled floats, as nibabel scales them."""

    def __init__(self, layout: Layout, mask: Mask) -> None:
        self._scores = layout.scores
        super().__init__(mask, layout.scores(np.zeros(1, layout.dtype)).itemsize)

    def add(self, scores: NDArray[Any]) -> None:
        super().add(self._scores(scores))


class _Codes:
    """Counts integers of 8 or 16 bits as they are; each of them is scaled and rounded once, at the end."""

    def __init__(self, layout: Layout, mask: Mask) -> None:
        self._layout = layout
        self._total = np.zeros(_CODES, np.int64)
        self._positive = np.zeros(_CODES, np.int64)
        self._edges, self._run, self._position = mask.edges, 0, 0

    def add(self, raw: NDArray[np.integer[Any]]) -> None:
        """Count the next voxels in file order."""
        codes = raw.view(f"u{raw.itemsize}").astype(np.uint16, copy=False)
        voxels.count_codes(codes, self._total)
        self._run = voxels.count_abnormal_codes(codes, self._position, self._edges, self._run, self._positive)
        self._position += codes.size

    def histogram(self) -> VoxelHistogram:
        """Raises `NotFinite`."""
        dtype = self._layout.dtype.newbyteorder("=")
        codes = np.arange(1 << 8 * dtype.itemsize, dtype=f"u{dtype.itemsize}")
        scores = self._layout.scores(codes.view(dtype))
        sound = np.isfinite(scores)
        _check_finite(int(self._total[: codes.size][~sound].sum()), self._position)
        levels = levels_of(np.where(sound, scores, 0))
        positives, total = (_summed(levels, counts[: codes.size]) for counts in (self._positive, self._total))
        return VoxelHistogram(positives, total - positives)


class _Picture:
    """A uint8 copy, filled as the volume passes."""

    def __init__(self, layout: Layout, mask: Mask) -> None:
        self._layout, self._shape = layout, mask.shape
        self._flat = np.empty(mask.voxels, np.uint8)
        self._position = 0

    def add(self, raw: NDArray[Any]) -> None:
        """Draw the next voxels in file order."""
        with np.errstate(invalid="ignore"):
            shades = np.round(np.clip(self._layout.scores(raw), 0, 1) * 255).astype(np.uint8)
        self._flat[self._position : self._position + raw.size] = shades
        self._position += raw.size

    def array(self) -> NDArray[np.uint8]:
        """The copy, in Fortran order."""
        return self._flat.reshape(self._shape, order="F")


class _Cut:
    """The voxels at or above a threshold, a bit each, filled as the volume passes."""

    def __init__(self, threshold: float, layout: Layout, mask: Mask) -> None:
        self.threshold = threshold
        self._level, self._layout, self._mask = level_of(threshold), layout, mask
        self._parts: list[NDArray[np.uint8]] = []

    def add(self, raw: NDArray[Any]) -> None:
        """Cut the next voxels in file order."""
        scores = self._layout.scores(raw)
        single = scores.itemsize == 4
        levels = np.empty(scores.size, np.uint16)
        find = voxels.levels_of_float32 if single else voxels.levels_of_float64
        find(scores.view(np.uint32 if single else np.uint64), levels)
        levels[levels >= voxels.ZEROS] = 0
        self._parts.append(np.packbits(levels >= self._level))

    def array(self) -> NDArray[np.bool_]:
        """The volume, in Fortran order."""
        flat = np.unpackbits(np.concatenate(self._parts), count=self._mask.voxels)
        return flat.view(np.bool_).reshape(self._mask.shape, order="F")


def _objects(cuts: Sequence[_Cut], mask: Mask, rule: ObjectRule) -> dict[float, ObjectCounts]:
    truth = mask.array()
    return {cut.threshold: count_objects(cut.array(), truth, rule) for cut in cuts}


def _folded(bins: NDArray[np.int64]) -> NDArray[np.int64]:
    counts = bins[:LEVELS].copy()
    counts[0] += bins[voxels.ZEROS :].sum()
    return counts


def _summed(levels: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    total = np.zeros(LEVELS, np.int64)
    np.add.at(total, levels, counts)
    return total


def _check_finite(bad: int, voxel_count: int) -> None:
    if bad:
        raise NotFinite(f"{bad:,} of {voxel_count:,} voxels are NaN or infinite")
