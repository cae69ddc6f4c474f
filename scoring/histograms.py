"""Voxel scores of a case as two counts per float16 value: exact, additive, and small enough to keep.

The challenge reads voxel scores as float16 and clips them to [0, 1], where float16 has 15,361 values.
Counting positives and negatives at each of them loses nothing, and the average precision of a batch is that
of the sum of its cases' counts.
"""

import math
import zlib
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal

import numpy as np
import zstandard
from numpy.typing import NDArray

from scoring.average_precision import NotFinite as NotFinite
from scoring.average_precision import average_precision_of_counts

# The bit patterns of float16 from 0.0 to 1.0 are the integers from 0 to 0x3C00, in the order of their values.
LEVELS = 0x3C00 + 1
TOP = LEVELS - 1

_VALUES = np.arange(LEVELS, dtype=np.uint16).view(np.float16).astype(np.float64)
_MAGIC_1 = b"MAVH\x01"
_MAGIC_2 = b"MAVH\x02"
_DIGEST_SIZE = 16
_CHUNK = 1 << 16


class DamagedHistogram(ValueError):
    """Stored bytes are not those of a voxel histogram, or no longer."""


@dataclass(frozen=True, eq=False)
class VoxelHistogram:
    """How many positive and negative voxels have each float16 score, both (LEVELS,), lowest score first."""

    positives: NDArray[np.int64]
    negatives: NDArray[np.int64]

    def __post_init__(self) -> None:
        for counts in (self.positives, self.negatives):
            if counts.shape != (LEVELS,) or counts.dtype != np.int64:
                raise ValueError(
                    f"counts are int64 of shape ({LEVELS},), not {counts.dtype} of {counts.shape}"
                )

    def __add__(self, other: "VoxelHistogram") -> "VoxelHistogram":
        return VoxelHistogram(self.positives + other.positives, self.negatives + other.negatives)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, VoxelHistogram):
            return NotImplemented
        return np.array_equal(self.positives, other.positives) and np.array_equal(
            self.negatives, other.negatives
        )

    @property
    def positive_voxels(self) -> int:
        """How many voxels are abnormal."""
        return int(self.positives.sum())

    @property
    def negative_voxels(self) -> int:
        """How many voxels are normal."""
        return int(self.negatives.sum())

    def average_precision(self) -> float:
        """Average precision over all counted voxels. Raises `UndefinedMetric` when none is positive."""
        return average_precision_of_counts(self.positives, self.negatives)

    @staticmethod
    def absent(positives: int, negatives: int, policy: Literal["zero", "worst"]) -> "VoxelHistogram":
        """What a case without a usable prediction counts as, from its numbers of abnormal and normal voxels.

        `zero` gives every voxel the score 0; `worst` gives the abnormal ones 0 and the normal ones 1.
        """
        if policy not in ("zero", "worst"):
            raise ValueError(f"a case without a prediction is not scored under the policy {policy!r}")
        found, wrong = np.zeros(LEVELS, dtype=np.int64), np.zeros(LEVELS, dtype=np.int64)
        found[0] = positives
        wrong[TOP if policy == "worst" else 0] = negatives
        return VoxelHistogram(found, wrong)

    def to_bytes(self) -> bytes:
        """A compact form: magic with version, digest, width, compressed steps from level to level.

        Steps are written byte by byte: the lowest of all of them, then the next, `width` in all.
        """
        counts = np.stack([self.positives, self.negatives])
        steps = np.diff(counts, axis=1, prepend=0).astype(np.int64)
        # Up and down in turn become odd and even numbers, so that small steps have high bytes of 0.
        numbers = ((steps << 1) ^ (steps >> 63)).view(np.uint64)
        width = max(1, (int(numbers.max()).bit_length() + 7) // 8)
        planes = numbers.astype("<u8").view(np.uint8).reshape(-1, 8).T[:width].tobytes()
        body = bytes([width]) + zstandard.ZstdCompressor(level=3).compress(planes)
        return _MAGIC_2 + _digest(_MAGIC_2, body) + body

    @staticmethod
    def from_bytes(stored: bytes) -> "VoxelHistogram":
        """What `to_bytes` made, in this version or the first one.

        Raises `DamagedHistogram` when a single bit is different. No more memory is taken than counts need.
        """
        magic, digest, body = stored[:5], stored[5 : 5 + _DIGEST_SIZE], stored[5 + _DIGEST_SIZE :]
        if magic not in (_MAGIC_1, _MAGIC_2):
            raise DamagedHistogram("not a voxel histogram of a version known here")
        if digest != _digest(magic, body):
            raise DamagedHistogram("the stored digest does not match")
        try:
            counts = _counts_1(body) if magic == _MAGIC_1 else _counts_2(body)
        except (zlib.error, zstandard.ZstdError) as error:
            raise DamagedHistogram(f"the counts are not compressed as they should be: {error}") from error
        return VoxelHistogram(counts[0], counts[1])


def threshold_of(level: int) -> float:
    """The float16 value of a level from 0 to TOP. Raises `ValueError` on any other."""
    if not 0 <= level < LEVELS:
        raise ValueError(f"levels are from 0 to {TOP}, not {level}")
    return float(_VALUES[level])


def level_of(threshold: float) -> int:
    """The lowest level whose value is at least `threshold`. Raises `ValueError` on NaN and above 1."""
    if math.isnan(threshold) or threshold > 1:
        raise ValueError(f"no score is at least {threshold}: scores are at most 1")
    return int(np.searchsorted(_VALUES, threshold, side="left"))


def levels_of(scores: NDArray[Any]) -> NDArray[np.int64]:
    """The level of each score, by NumPy's own rounding; any shape. Raises `NotFinite` on NaN and infinity."""
    if not np.isfinite(scores).all():
        raise NotFinite("a voxel score is NaN or infinite")
    # Rounding straight from the input's own type: by way of float32, some float64 would round twice.
    half = np.clip(scores, 0, 1).astype(np.float16)
    # -0.0 passes the clipping; without its sign bit it is 0.
    levels: NDArray[np.int64] = (half.view(np.uint16) & 0x7FFF).astype(np.int64)
    return levels


def voxel_histogram(scores: NDArray[Any], mask: NDArray[Any]) -> VoxelHistogram:
    """Count one case's voxels, given as arrays; `scoring.one_pass` counts those of a stream.

    `scores` real numbers, clipped to [0, 1] and rounded to float16; `mask` boolean of the same shape, true
    where the voxel is abnormal. Raises `NotFinite` on NaN and infinite scores, `ValueError` on anything else.
    """
    if mask.dtype != np.bool_:
        raise ValueError(f"a mask is boolean, not {mask.dtype}")
    if scores.shape != mask.shape:
        raise ValueError(f"{scores.shape} scores do not match a mask of {mask.shape}")
    if scores.dtype.kind not in "fiub":
        raise ValueError(f"scores are real numbers, not {scores.dtype}")
    order: Literal["C", "F"] = "F" if scores.flags.f_contiguous and mask.flags.f_contiguous else "C"
    flat, abnormal = scores.ravel(order), mask.ravel(order)
    counts = np.zeros(2 * LEVELS, dtype=np.int64)
    for start in range(0, flat.size, _CHUNK):
        part = slice(start, start + _CHUNK)
        counts += np.bincount(levels_of(flat[part]) + LEVELS * abnormal[part], minlength=2 * LEVELS)
    return VoxelHistogram(counts[LEVELS:], counts[:LEVELS])


def absent_histogram(mask: NDArray[Any], policy: Literal["zero", "worst"]) -> VoxelHistogram:
    """`VoxelHistogram.absent` of a case with this boolean mask."""
    if mask.dtype != np.bool_:
        raise ValueError(f"a mask is boolean, not {mask.dtype}")
    positives = int(np.count_nonzero(mask))
    return VoxelHistogram.absent(positives, mask.size - positives, policy)


def _counts_1(body: bytes) -> NDArray[np.int64]:
    size = 2 * LEVELS * 8
    inflater = zlib.decompressobj()
    flat = inflater.decompress(body, size + 1)
    if len(flat) != size or not inflater.eof or inflater.unused_data:
        raise DamagedHistogram("another number of counts than there are levels")
    return np.frombuffer(flat, dtype="<i8").reshape(2, LEVELS).astype(np.int64)


def _counts_2(body: bytes) -> NDArray[np.int64]:
    width = body[0] if body else 0
    size = 2 * LEVELS * width
    if not 1 <= width <= 8 or zstandard.get_frame_parameters(body[1:]).content_size != size:
        raise DamagedHistogram("another number of counts than there are levels")
    flat = zstandard.ZstdDecompressor().decompress(body[1:], max_output_size=size, allow_extra_data=False)
    planes = np.frombuffer(flat, np.uint8).reshape(width, 2, LEVELS)
    # Numbers of up to three bytes, as nearly all are, fit into narrow integers, which are quicker.
    numbers = planes[0].astype(np.int32 if width < 4 else np.int64)
    for place in range(1, width):
        numbers |= planes[place].astype(numbers.dtype) << 8 * place
    steps = (numbers >> 1 & np.iinfo(numbers.dtype).max) ^ -(numbers & 1)
    return np.cumsum(steps, axis=1, dtype=np.int64)


def _digest(magic: bytes, body: bytes) -> bytes:
    return sha256(magic + body).digest()[:_DIGEST_SIZE]
