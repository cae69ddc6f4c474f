"""A case's abnormal voxels as runs in file order: read in no time, and in step with a stream of scores."""

import struct
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import zstandard
from numpy.typing import NDArray

_MAGIC = b"MAMK\x01"
_DIGEST_BYTES = 16
_HEAD = struct.Struct("<3IQ")


class DamagedMask(ValueError):
    """Stored bytes are not those of a mask, or no longer."""


@dataclass(frozen=True, eq=False)
class Mask:
    """Abnormal voxels of a volume of `shape` (3,).

    `runs` int64 are the lengths of runs of voxels in Fortran order (NIfTI's order in a file), alternately
    normal and abnormal, beginning with normal ones, of which there may be 0.
    """

    shape: tuple[int, int, int]
    runs: NDArray[np.int64]

    def __post_init__(self) -> None:
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise ValueError(f"a mask has three axes, each of at least one voxel, not {self.shape}")
        if self.runs.ndim != 1 or self.runs.dtype != np.int64 or self.runs.size == 0:
            raise ValueError("the runs of a mask are int64 in one dimension, at least one")
        if self.runs[0] < 0 or np.any(self.runs[1:] < 1) or int(self.runs.sum()) != self.voxels:
            raise ValueError("the runs of a mask cover its voxels, each of them once")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mask):
            return NotImplemented
        return self.shape == other.shape and np.array_equal(self.runs, other.runs)

    @staticmethod
    def of(array: NDArray[np.bool_]) -> "Mask":
        """From a boolean volume in any order in memory, true where a voxel is abnormal."""
        if array.dtype != np.bool_:
            raise ValueError(f"a mask is boolean, not {array.dtype}")
        if array.ndim != 3:
            raise ValueError(f"a mask has three axes, not {array.ndim}")
        flat = array.ravel("F")
        changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
        start = [0, 0] if flat[:1].any() else [0]
        edges = np.concatenate([start, changes, [flat.size]]).astype(np.int64)
        x, y, z = array.shape
        return Mask((x, y, z), np.diff(edges))

    def array(self) -> NDArray[np.bool_]:
        """The boolean volume, in Fortran order."""
        flat = np.repeat(np.arange(self.runs.size) % 2 == 1, self.runs)
        return flat.reshape(self.shape, order="F")

    @property
    def edges(self) -> NDArray[np.int64]:
        """Where each run starts, counted in voxels, and where the last one ends; (runs + 1,)."""
        return np.concatenate([[0], np.cumsum(self.runs)]).astype(np.int64)

    @property
    def voxels(self) -> int:
        """How many voxels the volume has."""
        x, y, z = self.shape
        return x * y * z

    @property
    def positive_voxels(self) -> int:
        """How many voxels are abnormal."""
        return int(self.runs[1::2].sum())

    @property
    def negative_voxels(self) -> int:
        """How many voxels are normal."""
        return int(self.runs[::2].sum())

    def to_bytes(self) -> bytes:
        """A compact form: magic with version, digest, shape and number of runs, compressed runs."""
        body = zstandard.ZstdCompressor(level=9).compress(self.runs.astype("<u8").tobytes())
        rest = _HEAD.pack(*self.shape, self.runs.size) + body
        return _MAGIC + _digest(rest) + rest

    @staticmethod
    def from_bytes(stored: bytes) -> "Mask":
        """What `to_bytes` made. Raises `DamagedMask` when a single bit is different."""
        start = len(_MAGIC) + _DIGEST_BYTES
        rest = stored[start:]
        if stored[: len(_MAGIC)] != _MAGIC or len(rest) < _HEAD.size:
            raise DamagedMask("not a mask of a version known here")
        if stored[len(_MAGIC) : start] != _digest(rest):
            raise DamagedMask("the stored digest does not match")
        x, y, z, count = _HEAD.unpack_from(rest)
        try:
            return Mask((x, y, z), _runs(rest[_HEAD.size :], count, x * y * z))
        except (ValueError, zstandard.ZstdError) as error:
            raise DamagedMask(str(error)) from error


def _runs(body: bytes, count: int, voxels: int) -> NDArray[np.int64]:
    size = 8 * count
    if count > voxels + 1 or zstandard.get_frame_parameters(body).content_size != size:
        raise DamagedMask("another number of runs than announced")
    flat = zstandard.ZstdDecompressor().decompress(body, max_output_size=size)
    return np.frombuffer(flat, dtype="<u8").astype(np.int64)


def _digest(rest: bytes) -> bytes:
    return sha256(_MAGIC + rest).digest()[:_DIGEST_BYTES]
