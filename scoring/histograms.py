"""Voxel scores of a case as two counts per float16 value: exact, additive, and small enough to keep.

The challenge reads voxel scores as float16 and clips them to [0, 1], where float16 has 15,361 values.
Counting positives and negatives at each of them loses nothing, and the average precision of a batch is that
of the sum of its cases' counts.
"""

import zlib
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from scoring.average_precision import NotFinite as NotFinite
from scoring.average_precision import average_precision_of_counts

# The bit patterns of float16 from 0.0 to 1.0 are the integers from 0 to 0x3C00, in the order of their values.
LEVELS = 0x3C00 + 1
TOP = LEVELS - 1

_MAGIC = b"MAVH\x01"
_DIGEST_SIZE = 16
_CHUNK = 1 << 20


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

    def average_precision(self) -> float:
        """Average precision over all counted voxels. Raises `UndefinedMetric` when none is positive."""
        return average_precision_of_counts(self.positives, self.negatives)

    def to_bytes(self) -> bytes:
        """A compact form: magic with version, digest, compressed counts."""
        body = zlib.compress(np.stack([self.positives, self.negatives]).astype("<i8").tobytes())
        return _MAGIC + _digest(body) + body

    @staticmethod
    def from_bytes(stored: bytes) -> "VoxelHistogram":
        """What `to_bytes` made. Raises `DamagedHistogram` when a single bit is different."""
        head = len(_MAGIC) + _DIGEST_SIZE
        body = stored[head:]
        if stored[: len(_MAGIC)] != _MAGIC:
            raise DamagedHistogram("not a voxel histogram of a version known here")
        if stored[len(_MAGIC) : head] != _digest(body):
            raise DamagedHistogram("the stored digest does not match")
        positives, negatives = (
            np.frombuffer(zlib.decompress(body), dtype="<i8").reshape(2, LEVELS).astype(np.int64)
        )
        return VoxelHistogram(positives, negatives)


def voxel_histogram(scores: NDArray[Any], mask: NDArray[Any]) -> VoxelHistogram:
    """Count one case's voxels.

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
        counts += np.bincount(_levels(flat[part]) + LEVELS * abnormal[part], minlength=2 * LEVELS)
    return VoxelHistogram(counts[LEVELS:], counts[:LEVELS])


def absent_histogram(mask: NDArray[Any], policy: Literal["zero", "worst"]) -> VoxelHistogram:
    """What a case without a usable prediction counts as.

    `zero` gives every voxel the score 0; `worst` gives the abnormal ones 0 and the normal ones 1.
    """
    if policy not in ("zero", "worst"):
        raise ValueError(f"a case without a prediction is not scored under the policy {policy!r}")
    worst = ~mask if policy == "worst" else np.zeros_like(mask)
    return voxel_histogram(worst, mask)


def _levels(scores: NDArray[Any]) -> NDArray[np.int64]:
    if not np.isfinite(scores).all():
        raise NotFinite("a voxel score is NaN or infinite")
    # Rounding straight from the input's own type: by way of float32, some float64 would round twice.
    half = np.clip(scores, 0, 1).astype(np.float16)
    # -0.0 passes the clipping; without its sign bit it is 0.
    levels: NDArray[np.int64] = (half.view(np.uint16) & 0x7FFF).astype(np.int64)
    return levels


def _digest(body: bytes) -> bytes:
    return sha256(_MAGIC + body).digest()[:_DIGEST_SIZE]
