"""What an anomaly is put into, and what every kind of anomaly looks like from outside.

**How to add a kind.** Write `datasets/anomalies/<folder>/<kind>.py` with one frozen dataclass of parameters,
and add the class to the tuple `KINDS` in `datasets/anomalies/<folder>/kinds.py`. Folders: `images`,
`pathologies` and `corruptions` (local); `global_corruptions`, `conditions`, `alterations` and `destructions`
(global).

    @dataclass(frozen=True)
    class Haemorrhage:
        name: ClassVar[str] = "haemorrhage"
        category: ClassVar[Category] = "local"
        group: ClassVar[Group] = "pathologies"
        populations: ClassVar[tuple[str, ...]] = ("brain",)
        needs_donor: ClassVar[bool] = False
        centre: Voxel
        radius: float
        intensity: float

        @classmethod
        def draw(cls, rng, scene, difficulty): ...  # parameters that suit this person; see `graded`, `place`
        def apply(self, scene): ...                 # pure: a new image, the scene as it was

Parameters are numbers, strings, and tuples of these (they go into the manifest as JSON); lengths in voxels,
relative to the volume or the anatomy, so that a kind works from 48 to 512 voxels a side. A local kind
computes in a box around itself (`box_around`, `offsets`) and names its size `radius`, `radii` or `size` and
its grey value `intensity`, where it has such. A kind knows nothing of masks, noise or the finaliser:
`insert` finds what visibly changed, repeats draws that cannot be seen, and adds `attempts`, `difficulty`,
`voxels` and `contrast`. "Hard" is near the limit of visibility: less contrast, smaller, or softer than
"medium". A medical condition draws its numbers and applies them with `scene.redraw({"liver": 1.5}).image`.
`tests/unit/datasets/test_kinds.py` tries every registered kind; only what is special about it needs a test.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from challenges.spec import Difficulty as Difficulty
from datasets.populations.registry import POPULATIONS
from datasets.populations.subject import Subject

Floats = NDArray[np.float32]
Voxel = tuple[int, int, int]
Box = tuple[slice, slice, slice]
Category = Literal["local", "global"]
Group = Literal["toys", "images", "pathologies", "corruptions", "conditions", "alterations", "destructions"]
CATEGORIES: tuple[Category, ...] = ("local", "global")
DIFFICULTIES: tuple[Difficulty, ...] = ("easy", "medium", "hard")
EVERYWHERE = ("brain", "abdomen")
MOSTLY = 0.85
COARSE = 64  # cells a side on which places are searched
TRIES = 100
T = TypeVar("T")


@dataclass(frozen=True)
class Scene:
    """The person to be altered, what is known of them, and another one for kinds that borrow.

    `donor`: set for kinds with `needs_donor`, of the same population, shape and variant. `redraw`: the same
    person with a medical condition (see `Population.draw`), of generated populations only. `population`: the
    name under which `POPULATIONS` has it; empty for imported scans.
    """

    subject: Subject
    donor: Subject | None = None
    redraw: Callable[[Mapping[str, float]], Subject] | None = None
    population: str = ""

    def tissue(self, *names: str) -> NDArray[np.bool_]:
        """Where the subject's label is one of `names`, bool (x, y, z); nowhere if labels aren't known.

        Raises:
            KeyError: the population has no such tissue or organ.
        """
        if not self.population or self.subject.labels.shape != self.subject.image.shape:
            return np.zeros(self.subject.image.shape, dtype=np.bool_)
        chosen = np.zeros(256, dtype=np.bool_)
        chosen[[POPULATIONS[self.population].LABELS[name] for name in names]] = True
        found: NDArray[np.bool_] = chosen[self.subject.labels]
        return found


class Kind(Protocol):
    """A dataclass of parameters: drawn at random, applied as a pure function of the scene.

    `name`: as in challenge files. `group`: the category of the taxonomy (Zimmerer, thesis, section 4.1.1).
    `populations`: those that it makes sense in.
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]
    name: ClassVar[str]
    category: ClassVar[Category]
    group: ClassVar[Group]
    populations: ClassVar[tuple[str, ...]]
    needs_donor: ClassVar[bool]

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """Sample parameters that suit the scene."""
        ...

    def apply(self, scene: Scene) -> Floats:
        """The altered image, float32 (x, y, z), of the subject; the scene stays as it was."""
        ...


def graded(difficulty: Difficulty, easy: T, medium: T, hard: T) -> T:
    """The one of three that belongs to the difficulty."""
    return {"easy": easy, "medium": medium, "hard": hard}[difficulty]


def place(rng: np.random.Generator, where: NDArray[np.bool_], reach: int) -> Voxel:
    """A voxel of `where` (x, y, z) whose neighbours within `reach` are mostly in it, if there is one.

    Searched on a coarse grid, so that large volumes cost no more than small ones.

    Raises:
        ValueError: `where` is empty.
    """
    step = max(min(where.shape) // COARSE, 1)
    cells = where[tuple(slice(step // 2, None, step) for _ in range(3))]
    cover = ndimage.uniform_filter(cells.astype(np.float32), 2 * -(-reach // step) + 1, mode="constant")
    for least in (MOSTLY, MOSTLY / 2, 0.0):
        candidates = np.flatnonzero(cells & (cover >= least))
        if candidates.size:
            cell = np.unravel_index(int(rng.choice(candidates)), cells.shape)
            return _near(rng, where, [int(c) * step + step // 2 for c in cell], step)
    voxels = np.flatnonzero(where)
    if not voxels.size:
        raise ValueError(
            "the scan has no anatomy to put an anomaly into; its shape times spacing is too small"
        )
    x, y, z = (int(i) for i in np.unravel_index(int(rng.choice(voxels)), where.shape))
    return x, y, z


def _near(rng: np.random.Generator, where: NDArray[np.bool_], voxel: list[int], step: int) -> Voxel:
    """A voxel of `where` in the cell around `voxel`, which is one."""
    for _ in range(TRIES):
        x, y, z = (
            min(max(c + int(rng.integers(-(step // 2), step - step // 2)), 0), n - 1)
            for c, n in zip(voxel, where.shape, strict=True)
        )
        if where[x, y, z]:
            return x, y, z
    x, y, z = voxel
    return x, y, z


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
