"""What an anomaly is put into, and what every kind of anomaly looks like from outside."""

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from datasets.populations.subject import Subject

Floats = NDArray[np.float32]
Voxel = tuple[int, int, int]
Box = tuple[slice, slice, slice]
MOSTLY = 0.85


@dataclass(frozen=True)
class Scene:
    """The person to be altered, and another one for the kinds that borrow (`needs_donor`)."""

    subject: Subject
    donor: Subject | None = None


class Kind(Protocol):
    """A dataclass of parameters: drawn at random, applied as a pure function of the scene."""

    __dataclass_fields__: ClassVar[dict[str, Any]]
    needs_donor: ClassVar[bool]

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene) -> Self:
        """Sample parameters that suit the scene."""
        ...

    def apply(self, scene: Scene) -> Floats:
        """The altered image, float32 (x, y, z), of the subject; the scene stays as it was."""
        ...


def place(rng: np.random.Generator, foreground: NDArray[np.bool_], reach: int) -> Voxel:
    """A voxel of the foreground whose neighbours within `reach` are mostly foreground, where there is one."""
    cover = ndimage.uniform_filter(foreground.astype(np.float32), 2 * reach + 1, mode="constant")
    for least in (MOSTLY, MOSTLY / 2, 0.0):
        candidates = np.flatnonzero(foreground & (cover >= least))
        if candidates.size:
            x, y, z = (int(i) for i in np.unravel_index(int(rng.choice(candidates)), foreground.shape))
            return x, y, z
    raise ValueError("the scan has no anatomy to put an anomaly into; its shape times spacing is too small")


def box_around(centre: Voxel, reach: int, shape: tuple[int, ...]) -> Box:
    """The voxels at most `reach` from `centre` along each axis, cut at the volume's border."""
    x, y, z = (slice(max(c - reach, 0), min(c + reach + 1, n)) for c, n in zip(centre, shape, strict=True))
    return x, y, z


def offsets(box: Box, centre: Voxel) -> Floats:
    """Where the voxels of `box` lie from `centre`, in voxels, (3, x, y, z)."""
    lines = [
        np.arange(part.start, part.stop, dtype=np.float32) - c for part, c in zip(box, centre, strict=True)
    ]
    return np.stack(np.meshgrid(*lines, indexing="ij"))
